"""What trees add to ridge, what the race of probes saves, and what is left to pay.

    python benchmarks/tree_race.py [data directory]

Without a data directory: a planted world of linear, nonlinear and noise targets.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from worlds import World, plant

from trainroute.config import Config, load_config, parse_config
from trainroute.evaluate import Evidence, evaluate_panel
from trainroute.panel import Panel, load_panel

MECHANISMS = ("pooled", "local", "absolute", "interaction", "none", "none")
RIDGE_ONLY = parse_config("validation: {tree_probes: false}", "ridge only")


def measure(panel: Panel, config: Config, data_dir: Path) -> tuple[Evidence, float]:
    """Measure all targets; the evidence and the seconds it took."""
    start = time.perf_counter()
    with TemporaryDirectory() as empty:
        evidence = evaluate_panel(
            panel,
            config,
            data_dir=data_dir,
            output_dir=Path(empty),
            top_n_targets=None,
            top_m_features=None,
            timestamp="",
            git_commit=None,
        )
    return evidence, time.perf_counter() - start


def scores(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Pooled score, and mean local score, per target."""
    frame = evidence.candidates.frame
    local = frame.filter(pl.col("symbol").is_not_null()).group_by("target").agg(pl.col("score").mean())
    pooled = frame.filter(pl.col("symbol").is_null()).select("target", pooled="score").join(local, on="target")
    return {row["target"]: (row["pooled"], row["score"]) for row in pooled.to_dicts()}


def main() -> None:
    """Measure with and without trees and print both."""
    if len(sys.argv) > 1:
        data_dir = Path(sys.argv[1])
        panel = load_panel(data_dir, load_config().data)
    else:
        data_dir = Path("nowhere")
        panel = plant(World(mechanisms=MECHANISMS, n_symbols=20, horizon=3)).panel
    ridge, ridge_seconds = measure(panel, RIDGE_ONLY, data_dir)
    raced, seconds = measure(panel, Config(), data_dir)
    without, found = scores(ridge), scores(raced)
    print(
        "| target | pooled, ridge | raced | local, ridge | raced | folds won, pooled + local | trees | without a race |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for place in raced.ranking:
        (pooled, local), (own_pooled, own_local), trees = without[place.target], found[place.target], place.trees
        print(
            f"| {place.target} | {pooled:.3f} | {own_pooled:.3f} | {local:.3f} | {own_local:.3f} "
            f"| {trees.pooled_folds} + {trees.local_folds} | {trees.models} | {trees.models_without_race} |"
        )
    models = sum(place.trees.models for place in raced.ranking)
    possible = sum(place.trees.models_without_race for place in raced.ranking)
    print(f"\n{seconds:.1f} s, of which ridge alone takes {ridge_seconds:.1f} s; {models} of {possible} trees trained")


if __name__ == "__main__":
    main()

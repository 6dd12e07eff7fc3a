"""What pure noise gets: routes, passes, and the scores that the best of many noise targets report.

    python benchmarks/noise.py [--targets 200] [--common 0 0.3 0.5] [--linear]

Every target is noise. A row per share of noise that is common to all symbols: routed pairs and targets with any routed
pair, each with the upper end of its Wilson interval, and the mean reported score (``score_shrunk``) of the ten targets
that the ranking keeps, with the standard error of the mean of their raw scores. The interval of the pairs takes them as
independent; those of one target are not, so that of the targets is the one to trust.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from counts import at_most
from worlds import World, plant

from trainroute.config import Config
from trainroute.evaluate import Evidence, evaluate_panel
from trainroute.records.vocabulary import Mode, RouteState
from trainroute.route import build_routing_plan

KEPT = 10


def measured(world: World, config: Config, top_n: int | None) -> Evidence:
    """Plant and measure a world."""
    with TemporaryDirectory() as empty:
        return evaluate_panel(
            plant(world).panel,
            config,
            data_dir=Path(empty),
            output_dir=Path(empty),
            top_n_targets=top_n,
            top_m_features=None,
            timestamp="",
            git_commit=None,
        )


def row(world: World, config: Config) -> str:
    """Return the table's row of one world."""
    evidence = measured(world, config, None)
    plan = build_routing_plan(evidence.candidates, config, generated_at="", git_commit=None)
    routed = plan.pairs.with_columns(routed=pl.col("route") != RouteState.ROUTE_BLOCKED)
    targets = routed.group_by("target").agg(pl.col("routed").any())["routed"]
    kept = [place.target for place in evidence.ranking[:KEPT]]
    pooled = evidence.candidates.frame.filter(pl.col("mode") == Mode.CROSS_SECTIONAL, pl.col("target").is_in(kept))
    half_width = (pooled["score_ci_high"] - pooled["score_ci_low"]).to_numpy() / 2
    error = float(np.sqrt(np.mean((half_width / 2.0) ** 2) / len(kept)))
    local = evidence.candidates.frame.filter(pl.col("mode") == Mode.SYMBOL, pl.col("target").is_in(kept))
    return (
        f"| {world.common_noise} | {routed.height} | {at_most(routed['routed'].sum(), routed.height)} "
        f"| {at_most(targets.sum(), len(targets))} | {pooled['score_shrunk'].mean():.4f} "
        f"± {error:.4f} | {pooled['score'].mean():.4f} | {local['score_shrunk'].mean():.4f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--common", type=float, nargs="+", default=(0.0, 0.3, 0.5))
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--linear", action="store_true", help="without tree probes, which take most of the time")
    arguments = parser.parse_args()
    config = Config.model_validate({"validation": {"tree_probes": not arguments.linear}})
    print("| common noise | pairs | routed | targets with any | reported, best ten | raw | local, reported |")
    print("|---|---|---|---|---|---|---|")
    for common in arguments.common:
        mechanisms = ("none",) * arguments.targets
        print(row(World(mechanisms=mechanisms, common_noise=common, seed=arguments.seed), config), flush=True)


if __name__ == "__main__":
    main()

"""How stable the product calls targets whose relation never changes, and targets whose relation turns around.

    python benchmarks/stability.py [--seeds 20 30] [--strengths 0.35 0.2] [--symbols 20]

Worlds (`worlds.py`) with stationary targets of several mechanisms, and targets whose signal changes its sign three
times in 3,000 rows. Probes are linear: stability reads the linear statistics. One row per strength, kind and side:
the pool has one case per target, the local side one per (target, symbol). "Moves" are DRIFTING and DIVERGED; "strong"
counts the sides in state STRONG. Intervals are Wilson's, as if the symbols of a target were independent.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from counts import share
from worlds import World, plant

from trainroute.config import Config
from trainroute.evaluate import evaluate_panel
from trainroute.records.vocabulary import Mode, RouteState, SignalState, StabilityCategory
from trainroute.route import build_routing_plan

STATIONARY = ("none", "pooled", "one_factor", "local", "both", "two_group", "absolute")
REVERSING = ("reversing",) * 4
MOVES = (StabilityCategory.DRIFTING.value, StabilityCategory.DIVERGED.value)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the table."""

    strength: float
    kind: str
    side: Mode


def cases(world: World, config: Config) -> pl.DataFrame:
    """Measure and route a world: ``kind, mode, stability, state, routed``, one row per side of a target or pair."""
    planted = plant(world)
    with TemporaryDirectory() as empty:
        evidence = evaluate_panel(
            planted.panel,
            config,
            data_dir=Path(empty),
            output_dir=Path(empty),
            top_n_targets=None,
            top_m_features=None,
            timestamp="",
            git_commit=None,
        )
    plan = build_routing_plan(evidence.candidates, config, generated_at="", git_commit=None)
    pooled = plan.pooled.select("target", pl.lit(None, pl.String).alias("symbol"), "state", routed=pl.lit(value=False))
    local = plan.pairs.select(
        "target", "symbol", pl.col("local_state").alias("state"), routed=pl.col("route") != RouteState.ROUTE_BLOCKED
    )
    states = pl.concat([pooled, local], how="vertical_relaxed")
    reversing = [target for target, mechanism in planted.mechanism.items() if mechanism in REVERSING]
    kind = pl.when(pl.col("target").is_in(reversing)).then(pl.lit("reversing")).otherwise(pl.lit("stationary"))
    table = evidence.candidates.frame.select("target", "symbol", "mode", "stability")
    return table.join(states, on=("target", "symbol"), nulls_equal=True).with_columns(kind=kind)


def row(cell: Cell, found: pl.DataFrame) -> str:
    """Return the table's row of one kind and side."""
    own = found.filter(pl.col("kind") == cell.kind, pl.col("mode") == cell.side.value)
    counted = {name: int((own["stability"] == name).sum()) for name in StabilityCategory}
    moves = sum(counted[StabilityCategory(name)] for name in MOVES)
    stable = counted[StabilityCategory.STABLE]
    strong = int((own["state"] == SignalState.STRONG.value).sum())
    return (
        f"| {cell.strength} | {cell.kind} | {'pool' if cell.side is Mode.CROSS_SECTIONAL else 'local'} | {own.height} "
        f"| {share(stable, own.height)} | {share(moves, own.height)} | {strong} | {int(own['routed'].sum())} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=(20, 30), help="first, and last + 1")
    parser.add_argument("--strengths", type=float, nargs="+", default=(0.35, 0.2))
    parser.add_argument("--symbols", type=int, default=20)
    options = parser.parse_args()
    config = Config.model_validate({"validation": {"tree_probes": False}})
    print("| strength | kind | side | cases | STABLE % | moves % | strong | routed pairs |")
    print("|---|---|---|---|---|---|---|---|")
    for strength in options.strengths:
        worlds = (
            World(mechanisms=STATIONARY + REVERSING, n_symbols=options.symbols, strength=strength, seed=seed)
            for seed in range(*options.seeds)
        )
        found = pl.concat([cases(world, config) for world in worlds])
        for kind in ("stationary", "reversing"):
            for side in (Mode.CROSS_SECTIONAL, Mode.SYMBOL):
                print(row(Cell(strength=strength, kind=kind, side=side), found), flush=True)


if __name__ == "__main__":
    main()

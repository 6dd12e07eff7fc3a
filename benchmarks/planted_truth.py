"""How often the routes are right where the right route is known, and what going by them is worth.

    python benchmarks/planted_truth.py [--seeds 20 30] [--strengths 0.35 0.2 0.12] [--common 0.3] [--linear] ...

1. Plant a world per seed and strength (`worlds.py`), measure it, route it.
2. Compare each route with the truth (`truth.py`). BOTH is right for ``either``; for a clear side it counts half, and
   not at all where the sides differ by more than ``CLEAR``. Pairs near a boundary are listed apart.
3. Value each policy by the true scores: an untrained pair scores one half under every policy.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from scipy.stats import t as student
from truth import MIN_LOCAL, MIN_POOLED, truths
from worlds import World, plant

from trainroute.config import Config
from trainroute.evaluate import evaluate_panel
from trainroute.records.candidates import Candidates
from trainroute.route import build_routing_plan

MECHANISMS = (
    "none",
    "none",
    "leaky",
    "pooled",
    "one_factor",
    "local",
    "both",
    "two_group",
    "pooled_and_local",
    "absolute",
    "interaction",
    "reversing",
)
APART = "reversing"
"""A relation that turns around has no right route by its past; what it gets is reported apart."""
NOISE = ("none", "leaky")
CLEAR = 0.03
MIN_CLASS = 5
SURE_LOCAL = 0.54
SAME = 1e-6
EVIDENCE = (
    "score",
    "score_shrunk",
    "p_skill",
    "cs_score",
    "p_cs_skill",
    "delta_local",
    "p_local_better",
    "stability",
)
KINDS = {"linear": ("pooled", "one_factor"), "size": ("absolute",), "product": ("interaction",)}
RECALL_CUTS = (0.53, 0.54, 0.56, 0.58, 0.6)
_RIGHT = {
    "none": "ROUTE_BLOCKED",
    "pooled": "ROUTE_CROSS_SECTIONAL",
    "local": "ROUTE_SYMBOL_SPECIFIC",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One world, and how it is measured and decided."""

    world: World
    config: Config


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A planted world: the evidence of its panel, and the truth of each (target, symbol)."""

    case: Case
    candidates: Candidates
    truth: pl.DataFrame

    def routed(self, config: Config) -> pl.DataFrame:
        """Route by a config; one row per (target, symbol) with route, evidence, truth and mechanism."""
        plan = build_routing_plan(self.candidates, config, generated_at="", git_commit=None)
        pooled = plan.pooled.select("target", target_state="state", target_stability="stability")
        pairs = plan.pairs.select("target", "symbol", "route", "cs_state", "local_state")
        measured = self.candidates.frame.filter(pl.col("mode") == "SYMBOL").select("target", "symbol", *EVIDENCE)
        pair = ["target", "symbol"]
        joined = self.truth.join(pairs, on=pair).join(measured, on=pair).join(pooled, on="target")
        world = self.case.world
        return joined.with_columns(
            seed=pl.lit(world.seed), strength=pl.lit(world.strength), common=pl.lit(world.common_noise)
        ).with_columns(credit=credit(), value=value_of_routes())


def measured(case: Case) -> Measured:
    """Plant a world and measure it."""
    planted = plant(case.world)
    with TemporaryDirectory() as empty:
        evidence = evaluate_panel(
            planted.panel,
            case.config,
            data_dir=Path(empty),
            output_dir=Path(empty),
            top_n_targets=None,
            top_m_features=None,
            timestamp="",
            git_commit=None,
        )
    truth = pl.concat(
        pl.DataFrame(
            {
                "target": target,
                "symbol": planted.panel.symbols,
                "mechanism": planted.mechanism[target],
                "true_pooled": found.pooled,
                "true_local": found.local,
                "true_blend": found.blend,
                "truth": found.classes,
                "near": found.near_boundary,
            }
        )
        for target, found in truths(planted).items()
    )
    return Measured(case=case, candidates=evidence.candidates, truth=truth)


def run(case: Case) -> pl.DataFrame:
    """Plant, measure, route."""
    return measured(case).routed(case.config)


def credit() -> pl.Expr:
    """How right a route is: 1, one half or 0."""
    route, truth = pl.col("route"), pl.col("truth")
    right = pl.coalesce(*(pl.when(truth == name).then(route == wanted) for name, wanted in _RIGHT.items())).fill_null(
        route.is_in(["ROUTE_CROSS_SECTIONAL", "ROUTE_SYMBOL_SPECIFIC", "ROUTE_BOTH"])
    )
    close = (pl.col("true_pooled") - pl.col("true_local")).abs() <= CLEAR
    half = (route == "ROUTE_BOTH") & truth.is_in(["pooled", "local"]) & close
    return pl.when(right).then(1.0).when(half).then(0.5).otherwise(0.0)


def value_of_routes() -> pl.Expr:
    """Return the true score of what a route trains; an experimental model is not served."""
    return (
        pl.when(pl.col("route") == "ROUTE_CROSS_SECTIONAL")
        .then("true_pooled")
        .when(pl.col("route") == "ROUTE_SYMBOL_SPECIFIC")
        .then("true_local")
        .when(pl.col("route") == "ROUTE_BOTH")
        .then("true_blend")
        .otherwise(0.5)
    )


def policies() -> dict[str, pl.Expr]:
    """Return the value of each fixed policy per pair: what is below its minimum in truth is left out."""
    pooled, local, blend = pl.col("true_pooled"), pl.col("true_local"), pl.col("true_blend")
    return {
        "always-CS": pl.when(pooled >= MIN_POOLED).then(pooled).otherwise(0.5),
        "always-local": pl.when(local >= MIN_LOCAL).then(local).otherwise(0.5),
        "always-both": pl.when(blend >= MIN_POOLED).then(blend).otherwise(0.5),
        "oracle": pl.max_horizontal(
            pl.when(pooled >= MIN_POOLED).then(pooled).otherwise(0.5),
            pl.when(local >= MIN_LOCAL).then(local).otherwise(0.5),
        ),
        "naive": pl.when(pl.col("score").fill_null(0) > pl.col("cs_score"))
        .then(pl.when(pl.col("score") >= MIN_LOCAL).then(local).otherwise(0.5))
        .otherwise(pl.when(pl.col("cs_score") >= MIN_POOLED).then(pooled).otherwise(0.5)),
    }


def accuracy(pairs: pl.DataFrame) -> pl.DataFrame:
    """Accuracy, balanced accuracy, worst seed, false passes and pairs near a boundary, per strength."""
    clear = pairs.filter(~pl.col("near"))
    by_class = (
        clear.group_by("strength", "truth").agg(pl.col("credit").mean(), n=pl.len()).filter(pl.col("n") >= MIN_CLASS)
    )
    balanced = by_class.group_by("strength").agg(balanced=pl.col("credit").mean())
    worst = (
        clear.group_by("strength", "seed")
        .agg(pl.col("credit").mean())
        .group_by("strength")
        .agg(worst_seed=pl.col("credit").min())
    )
    noise = (
        pairs.filter(pl.col("mechanism").is_in(NOISE))
        .group_by("strength")
        .agg(noise_routed=(pl.col("route") != "ROUTE_BLOCKED").mean())
    )
    return (
        clear.group_by("strength")
        .agg(accuracy=pl.col("credit").mean(), pairs=pl.len())
        .join(pairs.group_by("strength").agg(near=pl.col("near").sum()), on="strength")
        .join(balanced, on="strength")
        .join(worst, on="strength")
        .join(noise, on="strength", how="left")
        .sort("strength", descending=True)
    )


def regret(pairs: pl.DataFrame) -> pl.DataFrame:
    """Routed minus each policy, mean over pairs, with the lower end of a 95 % interval over seeds."""
    rows = []
    for (strength,), part in pairs.group_by("strength"):
        for name, value in policies().items():
            gap = part.group_by("seed").agg((pl.col("value") - value).mean().alias("gap"))["gap"].to_numpy()
            low = (
                gap.mean() - student.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
                if len(gap) > 1
                else np.nan
            )
            rows.append({"strength": strength, "policy": name, "routed_minus": gap.mean(), "low": low})
    return pl.DataFrame(rows).sort("strength", "policy", descending=[True, False])


def jobs(pairs: pl.DataFrame) -> pl.DataFrame:
    """Jobs that the routes train against those that the truth asks for."""
    route, truth = pl.col("route"), pl.col("truth")
    pooled = route.is_in(["ROUTE_CROSS_SECTIONAL", "ROUTE_BOTH"])
    local = route.is_in(["ROUTE_SYMBOL_SPECIFIC", "ROUTE_BOTH"])
    trained = pl.when(route == "ROUTE_EXPERIMENTAL_ONLY").then(1).otherwise(
        local.cast(pl.Int64)
    ).sum() + pooled.any().cast(pl.Int64)
    wanted = (truth == "local").sum() + truth.is_in(["pooled", "either"]).any().cast(pl.Int64)
    by_target = pairs.group_by("strength", "seed", "target").agg(trained=trained, wanted=wanted, pairs=pl.len())
    return (
        by_target.group_by("strength").agg(pl.col("trained", "wanted", "pairs").sum()).sort("strength", descending=True)
    )


def by_mechanism(pairs: pl.DataFrame) -> pl.DataFrame:
    """Accuracy, share of each route, true scores, and of local models what folds measure and the posterior expects."""
    by = ["strength", "mechanism"]
    routes = [
        (pl.col("route") == f"ROUTE_{name}").mean().alias(name.lower()[:6])
        for name in ("CROSS_SECTIONAL", "SYMBOL_SPECIFIC", "BOTH", "EXPERIMENTAL_ONLY", "BLOCKED")
    ]
    truth = [pl.col("true_pooled").mean().alias("pooled"), pl.col("true_local").mean().alias("local")]
    truth += [pl.col("score").mean().alias("in folds"), pl.col("score_shrunk").mean().alias("expected")]
    right = pairs.filter(~pl.col("near")).group_by(by).agg(accuracy=pl.col("credit").mean(), pairs=pl.len())
    return right.join(pairs.group_by(by).agg(*routes, *truth), on=by).sort(by, descending=[True, False])


def recall_by_kind(pairs: pl.DataFrame) -> pl.DataFrame:
    """Share of the pairs worth a pooled model that are served by one, by its true score and the kind of relation."""
    served = pl.col("route").is_in(["ROUTE_CROSS_SECTIONAL", "ROUTE_BOTH"])
    worth = pairs.filter(
        pl.col("mechanism").is_in([name for names in KINDS.values() for name in names]) & (pl.col("truth") != "none")
    )
    kinds = []
    for kind, mechanisms in KINDS.items():
        own = pl.col("mechanism").is_in(mechanisms)
        kinds += [served.filter(own).mean().alias(kind), own.sum().alias(f"{kind}: pairs")]
    return worth.group_by(pl.col("true_pooled").cut(RECALL_CUTS).alias("true score")).agg(*kinds).sort("true score")


def calibration(pairs: pl.DataFrame, said: str, true: pl.Expr) -> pl.DataFrame:
    """Return how often what was said with some probability is true, by tenths of the probability."""
    known = pairs.filter(pl.col(said).is_not_null())
    tenth = (pl.col(said) * 10).floor().clip(0, 9).cast(pl.Int64)
    return (
        known.group_by(tenth.alias("tenth"))
        .agg(said=pl.col(said).mean(), true=true.mean(), pairs=pl.len())
        .select(pl.lit(said).alias("probability"), "said", "true", "pairs")
        .sort("said")
    )


def log_loss(pairs: pl.DataFrame, said: str, true: pl.Expr) -> pl.DataFrame:
    """Return the mean log loss of a probability, per strength: low where it is sharp and right."""
    known = pairs.filter(pl.col(said).is_not_null())
    p = pl.col(said).clip(SAME, 1 - SAME)
    loss = -(true * p.log() + (1 - true) * (1 - p).log()).mean()
    return known.group_by("strength").agg(loss.alias(f"log loss of {said}")).sort("strength", descending=True)


def report(pairs: pl.DataFrame) -> None:
    """Print the tables."""
    apart, pairs = pairs.filter(pl.col("mechanism") == APART), pairs.filter(pl.col("mechanism") != APART)
    clear = pairs.filter(~pl.col("near"))
    recall = clear.filter((pl.col("truth") == "local") & (pl.col("true_local") >= SURE_LOCAL))
    found = recall.group_by("strength").agg(
        recall_of_local=pl.col("route").is_in(["ROUTE_SYMBOL_SPECIFIC", "ROUTE_BOTH"]).mean(), n=pl.len()
    )
    by_truth = clear.group_by("strength", "truth").agg(pl.col("credit").mean(), n=pl.len())
    gap = pl.col("true_local") - pl.col("true_pooled")
    better = pl.when(gap.abs() < SAME).then(0.5).otherwise((gap > 0).cast(pl.Float64))
    tables = [
        accuracy(pairs),
        by_truth.sort("strength", "truth", descending=[True, False]),
        by_mechanism(pl.concat([pairs, apart])),
        found.sort("strength", descending=True),
        recall_by_kind(clear),
        regret(pairs),
        jobs(pairs),
        calibration(pairs, "p_skill", pl.col("true_local") > 0.5 + SAME),
        calibration(pairs, "p_cs_skill", pl.col("true_pooled") > 0.5 + SAME),
        calibration(pairs, "p_local_better", better),
        log_loss(pairs, "p_local_better", better),
        apart.group_by("strength", "target_stability", "target_state").agg(pairs=pl.len()).sort(pl.all()),
    ]
    with pl.Config(
        tbl_rows=200,
        tbl_cols=20,
        float_precision=4,
        tbl_hide_dataframe_shape=True,
        tbl_formatting="MARKDOWN",
        tbl_hide_column_data_types=True,
        tbl_width_chars=200,
    ):
        for table in tables:
            print(table, flush=True)


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return the worlds that were asked for."""
    return [
        Case(
            world=World(
                mechanisms=tuple(arguments.mechanisms),
                n_symbols=arguments.symbols,
                n_rows=arguments.rows,
                strength=strength,
                common_noise=arguments.common,
                unequal=arguments.unequal,
                persistence=arguments.persistence,
                seed=seed,
            ),
            config=Config.model_validate({"validation": {"tree_probes": not arguments.linear}}),
        )
        for strength in arguments.strengths
        for seed in range(*arguments.seeds)
    ]


def measure(cases: Sequence[Case], processes: int) -> pl.DataFrame:
    """Run the cases in processes of their own, in order."""
    with get_context("spawn").Pool(processes) as pool:
        return pl.concat(pool.imap(run, cases))


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=(20, 30), metavar=("FIRST", "END"))
    parser.add_argument("--strengths", type=float, nargs="+", default=(0.35, 0.2, 0.12))
    parser.add_argument("--mechanisms", nargs="+", default=MECHANISMS)
    parser.add_argument("--symbols", type=int, default=40)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--unequal", type=float, default=0.1)
    parser.add_argument("--common", type=float, default=0.3)
    parser.add_argument("--persistence", type=float, default=0.9)
    parser.add_argument("--linear", action="store_true", help="without trees")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--save", type=Path, help="write the pairs to this Parquet file")
    arguments = parser.parse_args()
    pairs = measure(cases(arguments), arguments.processes)
    if arguments.save is not None:
        pairs.write_parquet(arguments.save)
    report(pairs)


if __name__ == "__main__":
    main()

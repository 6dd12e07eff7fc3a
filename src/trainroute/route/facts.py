"""What the rules look at: the candidates, rounded, with the few things that follow from several columns.

A column that the table does not have is null here as well; `provided` tells the rules that it is not known.
"""

from dataclasses import dataclass

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.candidates import COLUMNS, DECIMALS, Candidates
from trainroute.records.vocabulary import LeakageStatus, Mode, StabilityCategory

FAMILIES_COLUMN = "attempted_model_families"


@dataclass(frozen=True)
class Facts:
    """The two tables that the rules run over.

    Attributes
    ----------
    pooled : polars.DataFrame
        One row per target, sorted; ``measured`` is False where the candidates have no CROSS_SECTIONAL row.
    pairs : polars.DataFrame
        One row per (target, symbol), sorted, with what the target's row says of leakage.
    provided : frozenset of str
        The columns that are known. A config key among them is a setting of which each row has a value of its own, see
        `trainroute.route.checks.setting`.
    """

    pooled: pl.DataFrame
    pairs: pl.DataFrame
    provided: frozenset[str]


def facts_of(candidates: Candidates, config: RoutingConfig) -> Facts:
    """Split the candidates into pooled and local rows and complete both."""
    frame = _completed(candidates.frame, candidates.provided, config)
    own = frame.filter(pl.col("mode") == Mode.CROSS_SECTIONAL).with_columns(measured=pl.lit(value=True))
    tasks = frame.group_by("target").agg(pl.col("task_type").drop_nulls().first())
    pooled = tasks.join(own.drop("task_type"), on="target", how="left").with_columns(
        pl.col("measured").fill_null(value=False),
        pl.col("leakage_status").fill_null(LeakageStatus.UNKNOWN.value),
        pl.col("stability").fill_null(StabilityCategory.UNKNOWN.value),
    )
    pairs = frame.filter(pl.col("mode") == Mode.SYMBOL).drop("task_type")
    return Facts(
        pooled=pooled.sort("target"),
        pairs=with_target(pairs, pooled),
        provided=candidates.provided,
    )


def without_target(pairs: pl.DataFrame) -> pl.DataFrame:
    """Take away what `with_target` adds."""
    return pairs.drop("task_type", "target_leakage", "measured")


def with_target(pairs: pl.DataFrame, pooled: pl.DataFrame) -> pl.DataFrame:
    """Add to each pair what the rules need of its target, task and leakage; the order stays."""
    of_target = pooled.select("target", "task_type", target_leakage="leakage_status")
    return pairs.join(of_target, on="target", how="left", maintain_order="left").with_columns(
        measured=pl.lit(value=True)
    )


def _completed(frame: pl.DataFrame, provided: frozenset[str], config: RoutingConfig) -> pl.DataFrame:
    floats = [name for name, dtype in COLUMNS.items() if dtype == pl.Float64()]
    attempted = pl.col(FAMILIES_COLUMN)
    # A failed list that is known but null is no evidence that anything succeeded.
    failed = pl.col("failed_model_families") if "failed_model_families" in provided else pl.lit([], pl.List(pl.String))
    return frame.with_columns(
        pl.col(floats).fill_nan(None).round(DECIMALS),
        pl.col("leakage_status").fill_null(LeakageStatus.UNKNOWN.value),
        stability=_stability(provided, config.stability_classification.min_snapshots_for_stability),
        successful_families=attempted.list.set_difference(failed).list.len().cast(pl.Int64),
    )


def _stability(provided: frozenset[str], least: int) -> pl.Expr:
    """Return the stability; UNKNOWN where too few snapshots were compared to say anything."""
    known = pl.col("stability").fill_null(StabilityCategory.UNKNOWN.value)
    if "n_snapshots" not in provided:
        return known
    return pl.when(pl.col("n_snapshots") >= least).then(known).otherwise(pl.lit(StabilityCategory.UNKNOWN.value))

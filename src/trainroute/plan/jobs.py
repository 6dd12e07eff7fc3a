"""Which jobs the decisions ask for: a table with one row per job, without families and ids."""

import polars as pl

from trainroute.config.planning import PlanningConfig
from trainroute.records.routing import (
    RoutingPlan,
    pooled_score_on_symbol,
    score_column,
    teaches_pool,
    trains_local,
    trains_pooled,
)
from trainroute.records.vocabulary import RouteState, SignalState, TrainingType

PRIORITY: dict[TrainingType, dict[SignalState, int]] = {
    TrainingType.CROSS_SECTIONAL: {
        SignalState.STRONG: 600,
        SignalState.WEAK_BUT_OK: 500,
        SignalState.EXPERIMENTAL: 200,
    },
    TrainingType.SYMBOL_SPECIFIC: {
        SignalState.STRONG: 400,
        SignalState.WEAK_BUT_OK: 300,
        SignalState.EXPERIMENTAL: 100,
    },
}
"""The hundreds of a job's priority; tens and units are thousandths of its score above 0.5, at most 99."""

UNDECIDED = 0.5
"""Weight of the local model in a blend where no ``p_local_better`` is known."""

_HIGHEST_STRENGTH = 99


def requested_jobs(routing: RoutingPlan, planning: PlanningConfig) -> pl.DataFrame:
    """Return one row per job that the decisions ask for; a pool that no symbol may teach has none.

    Returns
    -------
    polars.DataFrame
        ``target, symbol, route, training_type, task_type, sample_size, feature_set_id, cs_state, local_state,
        cs_score, local_score, p_local_better, blend_weight, symbols, both_symbols, training_symbols, priority,
        reason``; the pooled jobs (null symbol) first, both kinds sorted by name. The ``reason`` of a symbol's job is
        null where the decisions were read without theirs.
    """
    jobs = pl.concat([_pooled_jobs(routing, planning), _local_jobs(routing)], how="diagonal")
    return jobs.with_columns(pl.col("symbols", "both_symbols", "training_symbols").fill_null([]))


def _local_jobs(routing: RoutingPlan) -> pl.DataFrame:
    provided = frozenset(routing.metadata.columns_provided)
    score = score_column(routing.routing, provided)
    on_symbol = pooled_score_on_symbol(routing.routing, provided)
    of_target = routing.pooled.select("target", "task_type", target_features="feature_set_id")
    jobs = routing.pairs.lazy().filter(trains_local()).drop("margins", strict=False).unnest("scores", "evidence")
    reasons = pl.col("reasons") if "reasons" in routing.pairs.columns else pl.lit(None, pl.List(pl.String()))
    weight = pl.when(pl.col("route") == RouteState.ROUTE_BOTH).then(pl.col("p_local_better").fill_null(UNDECIDED))
    found = jobs.join(of_target.lazy(), on="target", how="left", maintain_order="left").select(
        "target",
        "symbol",
        "route",
        "task_type",
        "sample_size",
        "cs_state",
        "local_state",
        "p_local_better",
        training_type=pl.lit(TrainingType.SYMBOL_SPECIFIC.value),
        feature_set_id=pl.coalesce("feature_set_id", "target_features"),
        cs_score=on_symbol,
        local_score=score,
        blend_weight=weight,
        priority=_priority(TrainingType.SYMBOL_SPECIFIC, pl.col("local_state"), pl.col(score)),
        reason=reasons.list.head(3).list.join("; "),
    )
    return found.collect()


def _pooled_jobs(routing: RoutingPlan, planning: PlanningConfig) -> pl.DataFrame:
    provided = frozenset(routing.metadata.columns_provided)
    score = score_column(routing.routing, provided)
    both = pl.col("symbol").filter(pl.col("route") == RouteState.ROUTE_BOTH)
    served = (
        routing.pairs.lazy()
        .filter(trains_pooled())
        .group_by("target")
        .agg(pl.col("symbol").sort().alias("symbols"), both.sort().alias("both_symbols"))
        .collect()
    )
    teachers = (
        routing.pairs.lazy()
        .filter(teaches_pool(routing.routing, planning))
        .group_by("target")
        .agg(pl.col("symbol").sort().alias("training_symbols"))
        .collect()
    )
    jobs = routing.pooled.join(served, on="target").join(teachers, on="target").sort("target")
    lane = pl.col("state") == SignalState.EXPERIMENTAL
    route = pl.when(lane).then(pl.lit(RouteState.ROUTE_EXPERIMENTAL_ONLY.value))
    serves = pl.concat_str(
        pl.col("reasons").list.first(),
        pl.lit("; serves "),
        pl.col("symbols").list.len().cast(pl.String),
        pl.lit(" symbols, "),
        pl.col("both_symbols").list.len().cast(pl.String),
        pl.lit(" of them beside a model of their own"),
    )
    return jobs.select(
        "target",
        "task_type",
        "sample_size",
        "feature_set_id",
        "symbols",
        "both_symbols",
        "training_symbols",
        symbol=pl.lit(None, pl.String),
        route=route.otherwise(pl.lit(RouteState.ROUTE_CROSS_SECTIONAL.value)),
        training_type=pl.lit(TrainingType.CROSS_SECTIONAL.value),
        cs_state="state",
        cs_score=score,
        priority=_priority(TrainingType.CROSS_SECTIONAL, pl.col("state"), pl.col(score)),
        reason=serves,
    )


def _priority(kind: TrainingType, state: pl.Expr, score: pl.Expr) -> pl.Expr:
    base = state.replace_strict(
        {state.value: base for state, base in PRIORITY[kind].items()}, default=0, return_dtype=pl.Int64
    )
    strength = ((score - 0.5) * 1000).round(6).floor().clip(0, _HIGHEST_STRENGTH).fill_null(0)
    return base + strength.cast(pl.Int64)

"""Which models a decision really gets.

A pool that no symbol may teach trains nothing, whatever the route says, and neither does a job that a budget left out.
"""

from collections.abc import Mapping

import polars as pl

from trainroute.records.names import job_id
from trainroute.records.plan import NO_POOL, LeftOutJob
from trainroute.records.routing import RoutingPlan, teaches_pool, trains_local, trains_pooled
from trainroute.records.vocabulary import LeakageStatus, RouteState


def trained_models(
    plan: RoutingPlan, target: str, symbol: str, left_out: Mapping[str, LeftOutJob]
) -> tuple[tuple[str, ...], str | None]:
    """Return the models that serve a pair, and why one that its route names is not trained.

    Parameters
    ----------
    plan : RoutingPlan
    target, symbol : str
    left_out : mapping of str to LeftOutJob
        By id, the jobs that a budget left out.

    Returns
    -------
    trained : tuple of str
        In words: the pooled model with the number of its teachers, the model of the symbol's own.
    not_trained : str or None
    """
    of_target = plan.pairs.filter(pl.col("target") == target)
    own = of_target.filter(pl.col("symbol") == symbol)
    local, pooled, cause = own.select(trains_local(), trains_pooled().alias("pooled"), "blocked_by").row(0)
    teachers = of_target.filter(teaches_pool(plan.routing, plan.planning)).height
    asked = [("the pooled model", job_id(target, None))] if pooled and teachers else []
    asked += [("a model of its own", job_id(target, symbol))] if local else []
    taught = {"the pooled model": f"the pooled model (taught by {_symbols(teachers)})"}
    trained = tuple(taught.get(model, model) for model, job in asked if job not in left_out)
    missing = [f"{NO_POOL} ({', '.join(_kept_out(of_target, plan))})"] if pooled and not teachers else []
    missing += [f"{model}, left out by the budget ({left_out[job].reason})" for model, job in asked if job in left_out]
    missing += [] if asked or missing else [f"blocked, {cause}"]
    return trained, f"not trained: {'; '.join(missing)}" if missing else None


def left_out_of(pairs: pl.DataFrame, left_out: Mapping[str, LeftOutJob]) -> int:
    """Count the jobs that a budget left out, of those that would serve some pairs of a plan."""
    asked = [
        pairs.filter(trains_pooled()).select("target", symbol=pl.lit(None, pl.String)).unique(),
        pairs.filter(trains_local()).select("target", "symbol"),
    ]
    jobs = pl.DataFrame(
        [(job.target, job.symbol) for job in left_out.values()],
        schema={"target": pl.String, "symbol": pl.String},
        orient="row",
    )
    return pl.concat(asked).join(jobs, on=["target", "symbol"], how="semi", nulls_equal=True).height


def without_pool(plan: RoutingPlan, pairs: pl.DataFrame) -> int:
    """Count the pairs that are routed to a pool that no symbol may teach; ``pairs`` are some of the plan's."""
    taught = plan.pairs.filter(teaches_pool(plan.routing, plan.planning)).select("target").unique()
    return pairs.filter(trains_pooled()).join(taught, on="target", how="anti").height


def _symbols(count: int) -> str:
    return "1 symbol" if count == 1 else f"{count} symbols"


def _kept_out(pairs: pl.DataFrame, plan: RoutingPlan) -> list[str]:
    """Count the symbols of a target that may not teach its pool, by why."""
    evidence, least = pl.col("evidence").struct, plan.routing.min_sample_size.symbol
    leaked = pl.lit(value=False)
    if plan.routing.block_on_leakage:
        leaked = evidence.field("leakage_status") == LeakageStatus.BLOCKED
    empty = (evidence.field("sample_size") <= 0).fill_null(value=False)
    short = ~(evidence.field("sample_size") >= least).fill_null(value=False)
    local = pl.col("route") == RouteState.ROUTE_SYMBOL_SPECIFIC
    why = (
        pl.when(leaked)
        .then(pl.lit("with leakage BLOCKED"))
        .when(empty)
        .then(pl.lit("without rows"))
        .when(short & pl.lit(not plan.planning.short_symbols_teach_pool))
        .then(pl.lit(f"of fewer than {least} rows (planning.short_symbols_teach_pool is off)"))
        .when(local & pl.lit(not plan.planning.local_symbols_teach_pool))
        .then(pl.lit("routed to a model of their own (planning.local_symbols_teach_pool is off)"))
    )
    counted = pairs.select(why=why).drop_nulls().group_by("why").len().sort("why")
    return [f"{_symbols(int(count))} {text}" for text, count in counted.iter_rows()]

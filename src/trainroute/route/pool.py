"""Which models a decision really gets.

A pool that no symbol may teach trains nothing, whatever the route says, and neither does a job that a budget left out
or that no family can train.
"""

from collections import Counter
from collections.abc import Mapping

import polars as pl

from trainroute.records.names import job_id, job_ids
from trainroute.records.plan import NO_POOL
from trainroute.records.routing import RoutingPlan, kept_from_pool, teaches_pool, trains_local, trains_pooled


def trained_models(
    plan: RoutingPlan, target: str, symbol: str, untrained: Mapping[str, str]
) -> tuple[tuple[str, ...], str | None]:
    """Return the models that serve a pair, and why one that its route names is not trained.

    Parameters
    ----------
    plan : RoutingPlan
    target, symbol : str
    untrained : mapping of str to str
        By id, the jobs that train nothing, and why.

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
    trained = tuple(taught.get(model, model) for model, job in asked if job not in untrained)
    missing = [f"{NO_POOL} ({', '.join(_kept_out(of_target, plan))})"] if pooled and not teachers else []
    missing += [f"{model}, {untrained[job]}" for model, job in asked if job in untrained]
    missing += [] if asked or missing else [f"blocked, {cause}"]
    return trained, f"not trained: {'; '.join(missing)}" if missing else None


def untrained_of(pairs: pl.DataFrame, untrained: Mapping[str, str]) -> dict[str, int]:
    """Count the jobs that would serve some pairs of a plan and train nothing, by why; details in brackets are left out.

    Parameters
    ----------
    pairs : polars.DataFrame
    untrained : mapping of str to str
        As of `trained_models`.
    """
    pooled = pairs.filter(trains_pooled()).select("target", symbol=pl.lit(None, pl.String)).unique()
    asked = pl.concat([pooled, pairs.filter(trains_local()).select("target", "symbol")])
    whys = Counter(
        untrained[job].split(" (")[0] for job in job_ids(asked["target"], asked["symbol"]) if job in untrained
    )
    return dict(sorted(whys.items()))


def without_pool(plan: RoutingPlan, pairs: pl.DataFrame) -> int:
    """Count the pairs that are routed to a pool that no symbol may teach; ``pairs`` are some of the plan's."""
    taught = plan.pairs.filter(teaches_pool(plan.routing, plan.planning)).select("target").unique()
    return pairs.filter(trains_pooled()).join(taught, on="target", how="anti").height


def _symbols(count: int) -> str:
    return "1 symbol" if count == 1 else f"{count} symbols"


def _kept_out(pairs: pl.DataFrame, plan: RoutingPlan) -> list[str]:
    """Count the symbols of a target that may not teach its pool, by why."""
    reasons = kept_from_pool(plan.routing, plan.planning)
    why = pl.coalesce(pl.when(when).then(pl.lit(text)) for when, text in reasons)
    counted = pairs.select(why=why).drop_nulls().group_by("why").len().sort("why")
    return [f"{_symbols(int(count))} {text}" for text, count in counted.iter_rows()]

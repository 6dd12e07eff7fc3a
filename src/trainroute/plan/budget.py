"""A budget: which jobs are kept where not all that the decisions ask for can be paid for.

1. Each job has a value, in posterior skill above 0.5 added over symbols (`_value`):
   pooled: max(score − 0.5, 0) × symbols served; local: max(score − 0.5, 0); local beside the pool (BOTH): what it adds,
   max(score − max(pooled score on the symbol, 0.5), 0). A job without a score or a family is worth nothing.
2. It has a cost in seconds: the fixed formula of its families, or with a ledger the mean of what each of them took.
3. Jobs are taken by value per cost, then priority, then id, while they fit; one that does not is left out and named.

A BOTH symbol whose pooled job is left out is served by its own model alone; one whose own job is left out by the pooled
model alone, which therefore no longer lists it among its ``both_symbols``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from trainroute.errors import UsageError
from trainroute.records.plan import BudgetReport, LeftOutJob
from trainroute.records.vocabulary import RouteState

_CHANCE = 0.5
_LEAST_COST_SECONDS = 0.001
_DECIMALS = 6
_ROUNDING = 1e-6
_LOST = {"target": pl.String(), "gone": pl.List(pl.String())}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be planned at most.

    Parameters
    ----------
    max_jobs : int, optional
    max_cost_seconds : float, optional
        Sum of the jobs' costs, in core seconds.
    seconds : mapping of (str, str) to float, optional
        What job × family took before, by job id and family; a job with a family that is not there costs what the
        formula says.

    Raises
    ------
    UsageError
        If a limit is not positive.
    """

    max_jobs: int | None = None
    max_cost_seconds: float | None = None
    seconds: Mapping[tuple[str, str], float] | None = field(default=None)

    def __post_init__(self) -> None:
        if self.max_jobs is not None and self.max_jobs < 1:
            raise UsageError(f"--max-jobs must be at least 1, got {self.max_jobs}")
        if self.max_cost_seconds is not None and not 0 < self.max_cost_seconds < math.inf:
            raise UsageError(f"--max-cost must be a positive number of seconds, got {self.max_cost_seconds:g}")

    @property
    def limits(self) -> bool:
        """Whether there is a limit."""
        return self.max_jobs is not None or self.max_cost_seconds is not None


def kept_within(jobs: pl.DataFrame, budget: Budget) -> tuple[pl.DataFrame, BudgetReport]:
    """Keep the jobs of greatest value per cost.

    Parameters
    ----------
    jobs : polars.DataFrame
        With ``job_id, target, symbol, route, priority, reason, cs_score, local_score, symbols, both_symbols,
        model_families, estimated_cost_seconds, cs_job_id, blend_weight``.
    budget : Budget

    Returns
    -------
    jobs : polars.DataFrame
        Those kept, in their order.
    report : BudgetReport
        The limits, and each job that was left out, best first, with the reason.
    """
    ranked = jobs.with_columns(value=_value().round(_DECIMALS), cost=_cost(jobs, budget)).with_columns(
        ratio=pl.col("value") / pl.max_horizontal("cost", pl.lit(_LEAST_COST_SECONDS))
    )
    ranked = ranked.sort(["ratio", "priority", "job_id"], descending=[True, True, False])
    kept: list[str] = []
    left: list[LeftOutJob] = []
    spent = 0.0
    for place, row in enumerate(ranked.iter_rows(named=True), start=1):
        obstacle = _obstacle(budget, row["cost"], len(kept), spent)
        if obstacle is None:
            kept.append(row["job_id"])
            spent += row["cost"]
        else:
            left.append(_left_out(row, f"place {place} of {ranked.height} by value per cost: {obstacle}"))
    report = BudgetReport(
        max_jobs=budget.max_jobs,
        max_cost_seconds=budget.max_cost_seconds,
        cost_source="formula" if budget.seconds is None else "ledger",
        jobs_asked=ranked.height,
        cost_asked_seconds=round(float(ranked["cost"].sum()), 3),
        cost_kept_seconds=round(spent, 3),
        left_out=tuple(left),
    )
    stay = jobs.filter(pl.col("job_id").is_in(kept))
    return _without_models_of_their_own(_without_pool(stay, left), left), report


def _without_pool(jobs: pl.DataFrame, left: Sequence[LeftOutJob]) -> pl.DataFrame:
    """Unlink local jobs from the pooled jobs that are left out: they have nothing to blend with."""
    lost = pl.col("cs_job_id").is_in([job.job_id for job in left])
    return jobs.with_columns(
        cs_job_id=pl.when(~lost).then("cs_job_id"),
        blend_weight=pl.when(~lost.fill_null(value=False)).then("blend_weight"),
    )


def _without_models_of_their_own(jobs: pl.DataFrame, left: Sequence[LeftOutJob]) -> pl.DataFrame:
    """Take the symbols whose own jobs are left out from the ``both_symbols`` of the pools that go on serving them."""
    gone: dict[str, list[str]] = {}
    for job in left:
        if job.symbol is not None:
            gone.setdefault(job.target, []).append(job.symbol)
    lost = pl.DataFrame({"target": list(gone), "gone": list(gone.values())}, schema=_LOST)
    joined = jobs.join(lost, on="target", how="left", maintain_order="left").with_columns(pl.col("gone").fill_null([]))
    beside = pl.col("both_symbols").list.set_intersection("gone").list.len()
    said = pl.concat_str(pl.lit("; the budget leaves out the models of "), beside.cast(pl.String), pl.lit(" of these"))
    return joined.with_columns(
        both_symbols=pl.col("both_symbols").list.set_difference("gone").list.sort(),
        reason=pl.concat_str("reason", pl.when(beside > 0).then(said).otherwise(pl.lit(""))),
    ).drop("gone")


def _value() -> pl.Expr:
    served = pl.col("symbols").list.len()
    above = {name: (pl.col(name) - _CHANCE).clip(0).fill_null(0) for name in ("cs_score", "local_score")}
    beside = pl.col("route") == RouteState.ROUTE_BOTH
    own = pl.when(beside).then((above["local_score"] - above["cs_score"]).clip(0)).otherwise(above["local_score"])
    value = pl.when(pl.col("symbol").is_null()).then(above["cs_score"] * served).otherwise(own)
    return pl.when(pl.col("model_families").list.len() > 0).then(value).otherwise(0.0)


def _cost(jobs: pl.DataFrame, budget: Budget) -> pl.Series:
    """Return what each job costs, in seconds."""
    formula = jobs["estimated_cost_seconds"].to_list()
    took = budget.seconds or {}
    costs = []
    for job_id, families, estimate in zip(jobs["job_id"], jobs["model_families"], formula, strict=True):
        known = [took.get((job_id, family)) for family in families]
        whole = [seconds for seconds in known if seconds is not None]
        costs.append(sum(whole) if whole and len(whole) == len(known) else estimate)
    return pl.Series("cost", costs, dtype=pl.Float64)


def _obstacle(budget: Budget, cost: float, jobs: int, spent: float) -> str | None:
    if budget.max_jobs is not None and jobs >= budget.max_jobs:
        return f"--max-jobs {budget.max_jobs} is reached"
    most = budget.max_cost_seconds
    if most is not None and spent + cost > most + _ROUNDING:
        return f"it costs {cost:.1f} s, and {max(most - spent, 0.0):.1f} s of --max-cost {most:g} are left"
    return None


def _left_out(row: Mapping[str, Any], reason: str) -> LeftOutJob:
    return LeftOutJob(
        job_id=row["job_id"],
        target=row["target"],
        symbol=row["symbol"],
        value=row["value"],
        cost_seconds=round(row["cost"], 3),
        reason=reason,
    )

"""Check a plan against everything that it refers to; every problem is named, none stops the others.

1. Staleness, by content (`changes_since`).
2. Every job has a decision that asks for it, and every such decision has its job (`_against_routing`).
3. Families exist; targets and symbols are in the data; feature sets are in the plan.

Schema, hashes and ids were checked when the plan was read (`trainroute.plan.load`). A decision that a budget left
without its job is no problem: the plan lists it (`trainroute.plan.budget`).
"""

from collections.abc import Collection, Iterable

import polars as pl

from trainroute.errors import UnknownNameError, bounded
from trainroute.families import FAMILIES
from trainroute.plan.jobs import requested_jobs
from trainroute.plan.legacy import is_legacy_plan
from trainroute.plan.problem import Problem, Severity
from trainroute.plan.staleness import PlanInputs, changes_since
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan

_COMPARED = ("route", "training_type", "priority")
_LISTS = ("symbols", "both_symbols", "training_symbols")
_TABLE = {
    **dict.fromkeys(("target", "symbol", "job_id", "route", "training_type"), pl.String()),
    "priority": pl.Int64(),
}


def validate_plan(
    plan: TrainingPlan,
    *,
    routing: RoutingPlan | None = None,
    now: PlanInputs | None = None,
    data_targets: Collection[str] | None = None,
    data_symbols: Collection[str] | None = None,
) -> list[Problem]:
    """Return what is wrong with a plan; empty where nothing is.

    Parameters
    ----------
    plan : TrainingPlan
    routing : RoutingPlan, optional
        The routing plan beside it.
    now : PlanInputs, optional
        The present inputs, see `inputs_beside`; what is not known is not checked.
    data_targets, data_symbols : collection of str, optional
        What the data hold.
    """
    problems = [] if now is None else changes_since(plan, now)
    if routing is not None and not is_legacy_plan(plan):
        problems += _against_routing(plan, routing)
    problems += _families(plan)
    problems += _feature_sets(plan)
    problems += _names("target", {job.target for job in plan.jobs}, data_targets)
    return problems + _names("symbol", _symbols(plan), data_symbols)


def _against_routing(plan: TrainingPlan, routing: RoutingPlan) -> list[Problem]:
    if plan.metadata.routing_plan_id != routing.plan_id:
        return [
            _error(
                "routing",
                f"made from routing plan {plan.metadata.routing_plan_id}, the one here is {routing.plan_id}; "
                "decisions and jobs were not compared",
            )
        ]
    key = ["target", "symbol"]
    asked = requested_jobs(routing, routing.planning).select(*key, *_COMPARED, *_LISTS)
    jobs = _table(plan)
    both = jobs.join(asked, on=key, how="inner", nulls_equal=True, suffix=" asked")
    unasked = jobs.join(asked, on=key, how="anti", nulls_equal=True)
    left_out = _left_out(plan)
    missing = asked.join(pl.concat([jobs.select(key), left_out]), on=key, how="anti", nulls_equal=True)
    problems = [
        *_found("no decision asks for job", unasked["job_id"].to_list()),
        *_found("no job for the decision on", [f"{t} · {s or 'pooled'}" for t, s in missing.select(key).iter_rows()]),
    ]
    for name in _COMPARED:
        differs = both.filter(pl.col(name).ne_missing(pl.col(f"{name} asked")))
        problems += _found(f"{name} is not what was decided in job", differs["job_id"].to_list())
    return problems + _pools(plan, asked.filter(pl.col("symbol").is_null()), left_out)


def _pools(plan: TrainingPlan, asked: pl.DataFrame, left_out: pl.DataFrame) -> list[Problem]:
    """Compare whom the pooled jobs serve and learn from; a symbol is on BOTH only where its own job is planned too."""
    gone = set(left_out.iter_rows())
    decided = {row["target"]: row for row in asked.iter_rows(named=True)}
    for row in decided.values():
        row["both_symbols"] = [symbol for symbol in row["both_symbols"] if (row["target"], symbol) not in gone]
    differ: dict[str, list[str]] = {name: [] for name in _LISTS}
    for job in plan.jobs:
        if job.symbol is None and job.target in decided:
            for name in _LISTS:
                if list(job.metadata[name]) != decided[job.target][name]:
                    differ[name].append(job.job_id)
    return [problem for name in _LISTS for problem in _found(f"{name} are not what was decided in job", differ[name])]


def _left_out(plan: TrainingPlan) -> pl.DataFrame:
    """Return target and symbol of the jobs that the plan says its budget had no room for."""
    jobs = () if plan.summary.budget is None else plan.summary.budget.left_out
    names = {"target": [job.target for job in jobs], "symbol": [job.symbol for job in jobs]}
    return pl.DataFrame(names, schema={"target": pl.String, "symbol": pl.String})


def _table(plan: TrainingPlan) -> pl.DataFrame:
    jobs = plan.jobs
    return pl.DataFrame(
        {
            "target": [job.target for job in jobs],
            "symbol": [job.symbol for job in jobs],
            "job_id": [job.job_id for job in jobs],
            "route": [job.route.value for job in jobs],
            "training_type": [job.training_type.value for job in jobs],
            "priority": [job.priority for job in jobs],
        },
        schema_overrides=_TABLE,
    )


def _families(plan: TrainingPlan) -> list[Problem]:
    problems = []
    for name in sorted({name for job in plan.jobs for name in job.model_families}):
        try:
            FAMILIES.get(name)
        except UnknownNameError as error:
            problems.append(_error("family", str(error)))
    idle = [job.job_id for job in plan.jobs if not job.model_families]
    if idle:
        text = f"no family that was asked for can train job {bounded(idle)}"
        problems.append(Problem(severity=Severity.WARNING, kind="family", message=text))
    return problems


def _feature_sets(plan: TrainingPlan) -> list[Problem]:
    named = {job.metadata.feature_set_id for job in plan.jobs} - {None}
    lost = sorted(str(name) for name in named - set(plan.feature_sets))
    return [_error("features", f"the plan has no feature set {bounded(lost)}")] if lost else []


def _names(kind: str, named: Collection[str], known: Collection[str] | None) -> list[Problem]:
    absent = [] if known is None else sorted(set(named).difference(known))
    return [_error("data", f"the data have no {kind} {bounded(absent)}")] if absent else []


def _symbols(plan: TrainingPlan) -> set[str]:
    own = {job.symbol for job in plan.jobs if job.symbol is not None}
    return own.union(
        *(job.metadata.symbols for job in plan.jobs), *(job.metadata.training_symbols for job in plan.jobs)
    )


def _found(text: str, names: Iterable[str]) -> list[Problem]:
    names = sorted(names)
    return [_error("routing", f"{text} {bounded(names)}")] if names else []


def _error(kind: str, message: str) -> Problem:
    return Problem(severity=Severity.ERROR, kind=kind, message=message)

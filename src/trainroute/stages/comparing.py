"""Two plans against each other: jobs, routes, and why each differs.

1. `read_planned` finds the training plan, the routing plan, or both, that a path means.
2. `compare_plans` compares jobs, `compare_routes` decisions with their causes.
3. `JobCauses` says of each job that differs which budget, decision, setting or evidence it comes from.
4. A selector narrows what is counted and listed (`trainroute.stages.narrowing`); causes are found over all pairs, for
   they share pools and lanes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trainroute.config.changes import changed_settings
from trainroute.errors import UsageError
from trainroute.parallel import in_threads
from trainroute.plan import (
    ROUTING_PLAN_DIR,
    PlanDiff,
    compare_plans,
    find_training_plan_dir,
    load_training_plan,
    routing_plan_beside,
)
from trainroute.records.differences import (
    DifferenceCounts,
    InputDifference,
    PlansDifference,
)
from trainroute.records.plan import BudgetReport, TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_file import routing_plan_file
from trainroute.records.routing_io import read_routing_plan
from trainroute.records.selectors import EVERYTHING, Selector
from trainroute.route import compare_routes
from trainroute.stages.job_causes import JobCauses
from trainroute.stages.narrowing import narrowing

DETAILS = 20
"""How many jobs and how many routes a difference lists unless it is asked for another number."""

_SHOWN = 16


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What lies at a path: a training plan, the routing plan that it was made from, or only one of them.

    ``strange``: beside the training plan lies a routing plan that its jobs were not made from.
    """

    name: str
    training: TrainingPlan | None
    routing: RoutingPlan | None
    strange: bool = False

    @property
    def decisions(self) -> str | None:
        """The ``plan_id`` of the decisions; None where none is known for certain."""
        if self.routing is not None:
            return self.routing.plan_id
        return None if self.training is None or self.strange else self.training.metadata.routing_plan_id


def diff(
    before: Path | str,
    after: Path | str,
    *,
    limit: int | None = DETAILS,
    selector: Selector = EVERYTHING,
    allow_edited: bool = False,
) -> PlansDifference:
    """Compare two plans.

    Parameters
    ----------
    before, after : Path or str
        An output directory, the directory of a training plan or of a routing plan, or the JSON of one.
    limit : int or None
        How many jobs and how many routes to list; None: all. All are counted.
    selector : Selector
        Count and list only these jobs, and the pairs that go with them.
    allow_edited : bool
        Compare plans too whose content is not what was written; a warning says so.

    Raises
    ------
    PlanError
        If there is no plan at a path, or one that cannot be trusted.
    UnknownNameError, UsageError
        If a name or glob matches nothing that one of the plans has, or jobs are asked for where there are none.
    """
    read = partial(read_planned, allow_edited=allow_edited)
    old, new = in_threads(read, [Path(before), Path(after)])
    return compare(old, new, limit=limit, selector=selector)


def read_planned(path: Path, *, allow_edited: bool = False) -> Planned:
    """Read what a path means; of decisions not their reasons and margins, which are not compared.

    ``allow_edited`` as of `diff`.

    Raises
    ------
    PlanNotFoundError
        If there is no plan.
    BrokenPlanError
        If there is one that cannot be trusted.
    """
    read_routing = partial(read_routing_plan, allow_edited=allow_edited, explained=False)
    if routing_plan_file(path).exists() and (path.is_dir() or path.name == routing_plan_file(Path()).name):
        return Planned(name=str(path), training=None, routing=read_routing(path))
    output = (path / "globals").is_dir() or (path / ROUTING_PLAN_DIR).is_dir()
    directory = find_training_plan_dir(path, None) if output else path
    if directory is None:
        return Planned(name=str(path), training=None, routing=read_routing(path / ROUTING_PLAN_DIR))
    plan = load_training_plan(directory, allow_edited=allow_edited)
    beside = directory if directory.is_dir() else directory.parent
    routing = routing_plan_beside(beside, allow_edited=allow_edited)
    strange = routing is not None and routing.plan_id != plan.metadata.routing_plan_id
    return Planned(name=str(path), training=plan, routing=None if strange else routing, strange=strange)


def compare(
    before: Planned, after: Planned, *, limit: int | None = DETAILS, selector: Selector = EVERYTHING
) -> PlansDifference:
    """Compare what lies at two paths; parameters and errors as of `diff`."""
    compared = _compared(before, after)
    inputs = _inputs(before, after)
    changed_data = any(found.what == "data" for found in inputs)
    routes = None
    if before.routing is not None and after.routing is not None:
        routes = compare_routes(before.routing, after.routing, data_changed=changed_data)
    old, new = before.training, after.training
    if selector != EVERYTHING:
        plans = [plan for plan in (old, new) if plan is not None]
        only = narrowing(selector, plans, [one.routing for one in (before, after) if one.routing is not None])
        old, new = (None if plan is None else only.of_plan(plan) for plan in (old, new))
        routes = None if routes is None else only.of_routes(routes)
    same_routes = before.decisions == after.decisions is not None if routes is None else routes.same
    jobs = PlanDiff(added=(), removed=(), changed=())
    if old is not None and new is not None:
        jobs = compare_plans(old, new)
    listed = [] if routes is None else routes.changes(limit)
    budgets = (_budget(before), _budget(after))
    causes = JobCauses(routes, inputs, budgets)
    return PlansDifference(
        before=before.name,
        after=after.name,
        compared=compared,
        same=jobs.same and same_routes,
        counts=DifferenceCounts(
            jobs_added=len(jobs.added),
            jobs_removed=len(jobs.removed),
            jobs_changed=len(jobs.changed),
            jobs_by_budget=causes.by_budget(jobs),
            routes_changed=0 if routes is None else routes.rerouted.height,
            pairs_added=0 if routes is None else routes.added.height,
            pairs_removed=0 if routes is None else routes.removed.height,
        ),
        inputs=tuple(inputs),
        transitions={} if routes is None else {f"{a} → {b}": n for (a, b), n in routes.transitions().items()},
        kinds={} if routes is None else routes.kinds(),
        causes={} if routes is None else routes.causes(),
        routes=tuple(listed),
        jobs=tuple(causes.of(jobs, limit)),
        notes=tuple(_notes(before, after)),
    )


def _compared(before: Planned, after: Planned) -> tuple[str, ...]:
    """Return what both have.

    Raises
    ------
    UsageError
        If that is nothing.
    """
    found = [
        what
        for what, name in (("jobs", "training"), ("routes", "routing"))
        if all(getattr(one, name) is not None for one in (before, after))
    ]
    if not found:
        raise UsageError(
            f"{before.name} and {after.name}: only one has jobs, and only the other the routing plan of its own; give "
            "two training plans or two routing plans"
        )
    return tuple(found)


def _budget(planned: Planned) -> BudgetReport | None:
    return None if planned.training is None else planned.training.summary.budget


def _limit(budget: BudgetReport | None, name: str) -> str:
    value = None if budget is None else budget[name]
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _notes(before: Planned, after: Planned) -> Iterator[str]:
    for one in (before, after):
        if one.strange:
            yield (
                f"{one.name}: the routing plan there is not the one that the jobs were made from, so routes are not "
                "compared; plan again with 'trainroute route'"
            )
        elif one.routing is None:
            yield f"{one.name}: no routing plan that its jobs were made from, so routes are not compared"
        if one.training is None:
            yield f"{one.name}: no training plan, so jobs are not compared"


def _inputs(before: Planned, after: Planned) -> list[InputDifference]:
    """Return what the plans were made from, where it differs."""
    pairs: list[tuple[str, object, object]] = []
    a, b = before.training, after.training
    if a is not None and b is not None:
        known = a.metadata.data_fingerprint is not None and b.metadata.data_fingerprint is not None
        if known:
            pairs.append(("data", a.metadata.data_fingerprint, b.metadata.data_fingerprint))
        pairs.append(("families", ", ".join(a.metadata.model_families), ", ".join(b.metadata.model_families)))
        old, new = _budget(before), _budget(after)
        limits = {"--max-jobs": "max_jobs", "--max-cost": "max_cost_seconds"}
        limits |= {"cost of jobs by": "cost_source"} if old is not None and new is not None else {}
        pairs += [(what, _limit(old, name), _limit(new, name)) for what, name in limits.items()]
    first, second = before.routing or before.training, after.routing or after.training
    if first is not None and second is not None:
        pairs.append(("candidates", first.metadata.metrics_snapshot, second.metadata.metrics_snapshot))
        pairs.append(("code", first.metadata.code_version, second.metadata.code_version))
    if before.routing is not None and after.routing is not None:
        held = (before.routing.metadata.previous_plan_id, after.routing.metadata.previous_plan_id)
        pairs.append(("previous plan", *held))
        for name in ("routing", "planning"):
            old, new = (getattr(one.routing, name).model_dump(mode="json") for one in (before, after))
            pairs += [(key, *values) for key, values in changed_settings(old, new, name).items()]
    elif first is not None and second is not None:
        pairs.append(("config", first.metadata.config_hash, second.metadata.config_hash))
    return [
        InputDifference(what=what, before=_text(old, what), after=_text(new, what))
        for what, old, new in pairs
        if old != new
    ]


def _text(value: object, what: str) -> str:
    text = "none" if value is None else str(value)
    return text[:_SHOWN] if what in {"data", "candidates", "config", "previous plan"} else text

"""Two plans against each other: jobs, routes, and why each differs.

1. `read_planned` finds the training plan, the routing plan, or both, that a path means.
2. `compare_plans` compares jobs, `compare_routes` decisions with their causes.
3. `_JobCauses` says of each job that differs which decision, setting or evidence it comes from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from trainroute.config.changes import changed_settings
from trainroute.errors import bounded
from trainroute.plan import (
    JobChange,
    PlanDiff,
    compare_plans,
    find_training_plan_dir,
    load_training_plan,
    routing_plan_beside,
)
from trainroute.records.differences import (
    DifferenceCounts,
    InputDifference,
    JobDifference,
    PlansDifference,
    RouteDifference,
)
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import read_routing_plan, routing_plan_file
from trainroute.route import RouteChanges, compare_routes
from trainroute.stages.common import ROUTING_PLAN

DETAILS = 20
"""How many jobs and how many routes a difference lists unless it is asked for another number."""

_SHOWN = 16


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What lies at a path: a training plan, the routing plan that it was made from, or only one of them."""

    name: str
    training: TrainingPlan | None
    routing: RoutingPlan | None


def diff(before: Path | str, after: Path | str, *, limit: int | None = DETAILS) -> PlansDifference:
    """Compare two plans.

    Parameters
    ----------
    before, after : Path or str
        An output directory, the directory of a training plan or of a routing plan, or the JSON of one.
    limit : int or None
        How many jobs and how many routes to list; None: all. All are counted.

    Raises
    ------
    PlanError
        If there is no plan at a path, or one that cannot be trusted.
    """
    return compare(read_planned(Path(before)), read_planned(Path(after)), limit=limit)


def read_planned(path: Path) -> Planned:
    """Read what a path means.

    Raises
    ------
    PlanNotFoundError
        If there is no plan.
    BrokenPlanError
        If there is one that cannot be trusted.
    """
    if routing_plan_file(path).is_file() and (path.is_dir() or path.name == routing_plan_file(Path()).name):
        return Planned(name=str(path), training=None, routing=read_routing_plan(path))
    output = (path / "globals").is_dir() or (path / ROUTING_PLAN).is_dir()
    directory = find_training_plan_dir(path, None) if output else path
    if directory is None:
        return Planned(name=str(path), training=None, routing=read_routing_plan(path / ROUTING_PLAN))
    plan = load_training_plan(directory)
    routing = routing_plan_beside(directory if directory.is_dir() else directory.parent)
    made_from = routing is not None and routing.plan_id == plan.metadata.routing_plan_id
    return Planned(name=str(path), training=plan, routing=routing if made_from else None)


def compare(before: Planned, after: Planned, *, limit: int | None = DETAILS) -> PlansDifference:
    """Compare what lies at two paths; parameters as of `diff`."""
    inputs = _inputs(before, after)
    changed_data = any(found.what == "data" for found in inputs)
    routes = None
    if before.routing is not None and after.routing is not None:
        routes = compare_routes(before.routing, after.routing, data_changed=changed_data)
    jobs = PlanDiff(added=(), removed=(), changed=())
    if before.training is not None and after.training is not None:
        jobs = compare_plans(before.training, after.training)
    listed = [] if routes is None else routes.changes(limit)
    causes = _JobCauses(routes, inputs)
    return PlansDifference(
        before=before.name,
        after=after.name,
        same=jobs.same and (routes is None or routes.same),
        counts=DifferenceCounts(
            jobs_added=len(jobs.added),
            jobs_removed=len(jobs.removed),
            jobs_changed=len(jobs.changed),
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


def _notes(before: Planned, after: Planned) -> Iterator[str]:
    for one in (before, after):
        if one.routing is None:
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
    first, second = before.routing or before.training, after.routing or after.training
    if first is not None and second is not None:
        pairs.append(("candidates", first.metadata.metrics_snapshot, second.metadata.metrics_snapshot))
        pairs.append(("code", first.metadata.code_version, second.metadata.code_version))
    if before.routing is not None and after.routing is not None:
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
    hashed = what in {"data", "candidates", "config"}
    return str(value)[:_SHOWN] if hashed else str(value)


class _JobCauses:
    """Why jobs differ: by the decisions that ask for them, else by what they were made from."""

    def __init__(self, routes: RouteChanges | None, inputs: Sequence[InputDifference]) -> None:
        self.routes = routes
        self.families = [found for found in inputs if found.what == "families" or found.what.startswith("planning.")]
        self.unknown = [found.what for found in inputs]

    def of(self, jobs: PlanDiff, limit: int | None) -> Iterator[JobDifference]:
        """Yield the jobs that differ, at most ``limit`` of those added, of those removed and of those changed."""
        shown: list[tuple[str, TrainingJob, JobChange | None]] = [
            *(("added", job, None) for job in islice(jobs.added, limit)),
            *(("removed", job, None) for job in islice(jobs.removed, limit)),
            *(("changed", change.after, change) for change in islice(jobs.changed, limit)),
        ]
        decisions = self._decisions([job for _, job, _ in shown])
        for kind, job, change in shown:
            yield JobDifference(
                change=kind,
                job_id=job.job_id,
                target=job.target,
                symbol=job.symbol,
                why=self._why(job, change, decisions),
                fields={} if change is None else {c.field: (c.before, c.after) for c in change.changes},
            )

    def _decisions(self, jobs: Sequence[TrainingJob]) -> dict[tuple[str, str], RouteDifference]:
        if self.routes is None:
            return {}
        own = [(job.target, job.symbol) for job in jobs if job.symbol is not None]
        return self.routes.of(pl.DataFrame(own, schema={"target": pl.String, "symbol": pl.String}, orient="row"))

    def _why(
        self, job: TrainingJob, change: JobChange | None, decisions: dict[tuple[str, str], RouteDifference]
    ) -> str:
        reasons = [] if change is None else self._fields(change)
        if job.symbol is None:
            reasons = [*self._pool(job.target), *reasons]
        elif (job.target, job.symbol) in decisions:
            decision = decisions[job.target, job.symbol]
            reasons = [
                decision.why if decision.before != decision.after else f"state changed; {decision.why}",
                *reasons,
            ]
        elif self.routes is not None and not reasons:
            reasons = [self._lone(job.target, job.symbol)]
        return "; ".join(reasons) or f"inputs changed: {bounded(self.unknown) or 'none that a plan records'}"

    def _lone(self, target: str, symbol: str) -> str:
        """Say of a pair whose decision did not change whether only one plan has it."""
        routes = self.routes
        pair = (pl.col("target") == target) & (pl.col("symbol") == symbol)
        if routes is not None and routes.added.filter(pair).height:
            return "new pair"
        return "gone" if routes is not None and routes.removed.filter(pair).height else ""

    def _pool(self, target: str) -> list[str]:
        """Say of a pooled job how many of its target's pairs are routed otherwise, and by what."""
        routes = self.routes
        if routes is None:
            return []
        of_target = pl.col("target") == target
        said = []
        moved = routes.rerouted.filter(of_target).height if routes.rerouted.height else 0
        if moved:
            causes = [f"{name} ({count})" for name, count in routes.causes(target).items()]
            said.append(f"{moved} symbols routed otherwise" + (f" by {bounded(causes)}" if causes else ""))
        for frame, text in ((routes.added, "new"), (routes.removed, "gone")):
            count = frame.filter(of_target).height
            said += [f"{count} symbols {text}"] if count else []
        return said

    def _fields(self, change: JobChange) -> list[str]:
        """Say of a changed job what its fields tell: families asked for or planned otherwise, evidence, features."""
        fields = {found.field: found for found in change.changes}
        said = []
        if "model_families" in fields or "metadata.families_left_out" in fields:
            said += [f"{found.what} {found.before} → {found.after}" for found in self.families]
        evidence = [found for name, found in fields.items() if name.startswith("metadata.") and _is_one(found.after)]
        return said + [f"{found.field.removeprefix('metadata.')} {found.before} → {found.after}" for found in evidence]


def _is_one(value: object) -> bool:
    """Whether a value is one number or name, and no list."""
    return value is None or isinstance(value, int | float | str)

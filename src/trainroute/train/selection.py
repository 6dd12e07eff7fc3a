"""Which job × family pairs of a plan run, and why the others do not.

A job trains what the plan assigns to it, restricted to what was asked for. Selections narrow a plan and never widen
it; a selected pooled job still trains on its whole pool.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from trainroute.errors import PlanError, bounded
from trainroute.families import FAMILIES, FamilySelection, select_families, two_stage_order
from trainroute.panel import Panel
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.results import FailureKind, FamilyResult, FamilyState
from trainroute.records.selectors import EVERYTHING, Selector, select_jobs, served_symbols
from trainroute.train.rows import training_symbols


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a run does.

    Attributes
    ----------
    jobs : tuple of TrainingJob
        The selected jobs, in the order in which they run.
    pending : tuple of FamilyResult
        Pairs to run, jobs in order, families of a job in two-stage order.
    closed : tuple of FamilyResult
        Pairs that do not run: not planned, or a library is not installed.
    """

    jobs: tuple[TrainingJob, ...]
    pending: tuple[FamilyResult, ...]
    closed: tuple[FamilyResult, ...]


def select(
    plan: TrainingPlan,
    *,
    families: FamilySelection | Sequence[str] | None = None,
    selector: Selector = EVERYTHING,
) -> Selection:
    """Choose the pairs to run; parameters as of `trainroute.train.train_plan`.

    Raises
    ------
    UsageError
        If the plan has nothing that a name or glob of the selector means, or a family does not exist.
    """
    jobs = select_jobs(plan, selector)
    asked = _asked(families)
    pending: list[FamilyResult] = []
    closed: list[FamilyResult] = []
    missing_libraries = cache(lambda name: FAMILIES.get(name).missing_libraries())
    for job in jobs:
        for result in _pairs(job, asked, missing_libraries):
            (pending if result.state is FamilyState.PENDING else closed).append(result)
    return Selection(jobs=jobs, pending=tuple(pending), closed=tuple(closed))


def check_against_panel(plan: TrainingPlan, jobs: Iterable[TrainingJob], panel: Panel) -> None:
    """Check that the panel holds what the jobs name.

    Raises
    ------
    PlanError
        If a target, a symbol, a feature or a feature set is absent, or a pooled job has no symbol to train on.
    """
    targets = {target.name for target in panel.targets}
    known_symbols, known_features = set(panel.symbols), set(panel.features)
    for job in jobs:
        if job.target not in targets:
            raise PlanError(f"job {job.job_id}: the data have no target {job.target!r}; make the plan again")
        if not training_symbols(job):
            raise PlanError(f"job {job.job_id}: has no symbol to train on; make the plan again")
        absent = sorted({*training_symbols(job), *served_symbols(job)} - known_symbols)
        if absent:
            raise PlanError(f"job {job.job_id}: the data have no symbol {bounded(absent)}; make the plan again")
        lost = [feature for feature in job_features(plan, job, panel) if feature not in known_features]
        if lost:
            raise PlanError(f"job {job.job_id}: the data have no feature {bounded(lost)}; make the plan again")


def job_features(plan: TrainingPlan, job: TrainingJob, panel: Panel) -> tuple[str, ...]:
    """Return the features that a job's models read: those of its set, or without one all of the panel.

    Raises
    ------
    PlanError
        If the plan does not have the job's feature set, or the set is empty.
    """
    set_id = job.metadata.feature_set_id
    if set_id is None:
        return panel.features
    if set_id not in plan.feature_sets:
        raise PlanError(f"job {job.job_id}: the plan has no feature set {set_id!r}; make the plan again")
    features = plan.feature_sets[set_id].features
    if not features:
        raise PlanError(f"job {job.job_id}: its feature set {set_id!r} is empty; make the plan again")
    return features


def _asked(families: FamilySelection | Sequence[str] | None) -> FamilySelection | None:
    if families is None or isinstance(families, FamilySelection):
        return families
    return select_families(families)


def _pairs(
    job: TrainingJob, asked: FamilySelection | None, missing_libraries: Callable[[str], tuple[str, ...]]
) -> Iterable[FamilyResult]:
    planned = {FAMILIES.get(name).name for name in job.model_families}
    wanted = {*planned, *_left_out(job)} if asked is None else asked.names
    for name in two_stage_order(wanted):
        family = FAMILIES.get(name)
        result = FamilyResult(
            job_id=job.job_id,
            family=family.name,
            stage=family.stage,
            state=FamilyState.PENDING,
            target=job.target,
            symbol=job.symbol,
            route=job.route,
            expected_score=job.metadata.cs_score if job.symbol is None else job.metadata.local_score,
        )
        if name not in planned:
            yield _closed(result, FamilyState.NOT_PLANNED, _why_not_planned(job, name))
        elif missing := missing_libraries(name):
            state = FamilyState.FAILED if asked is not None and asked.by_name else FamilyState.SKIPPED
            kind = FailureKind.MISSING_LIBRARY if state is FamilyState.FAILED else None
            result = msgspec.structs.replace(result, failure=kind)
            absent = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
            yield _closed(result, state, f"{absent}; {family.install_hint()}")
        else:
            yield result


def _closed(result: FamilyResult, state: FamilyState, reason: str) -> FamilyResult:
    return msgspec.structs.replace(result, state=state, reason=reason)


def _why_not_planned(job: TrainingJob, family: str) -> str:
    return f"not planned: {_left_out(job).get(family, 'the plan does not assign it to this job')}"


def _left_out(job: TrainingJob) -> dict[str, str]:
    """Return why families were left out of a job, by the names that they have here."""
    known = {name.casefold(): name for name in FAMILIES.names()}
    left_out = job.metadata.families_left_out.items()
    return {known[name.casefold()]: reason for name, reason in left_out if name.casefold() in known}

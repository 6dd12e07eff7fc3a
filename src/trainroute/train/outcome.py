"""What a training run ended in: planned against executed, expected against realised, and why each gap."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trainroute.errors import bounded
from trainroute.families import two_stage_order
from trainroute.records.artifacts import write_atomically, write_json_artifact
from trainroute.records.names import folder_names
from trainroute.records.plan import NO_POOL, TrainingJob, TrainingPlan, TrainingPlanSummary
from trainroute.records.results import (
    TRAINING_REPORT_SCHEMA_VERSION,
    FamilyCounts,
    FamilyResult,
    FamilyState,
    RouteSkill,
    TrainingReport,
)
from trainroute.train.advice import summarise_failures
from trainroute.train.artifact import MANIFEST
from trainroute.train.calibration import Expectation, route_skill
from trainroute.train.report_text import report_text

REPORT = "training_report"
ALL_ROUTES = "all"
_UNENDED = (FamilyState.PENDING, FamilyState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class TrainingOutcome:
    """What `trainroute.train.train_plan` returns.

    Attributes
    ----------
    report : TrainingReport
        As written to ``globals/training_report.json``.
    report_path : Path
    ledger_path : Path
    models_dir : Path
    """

    report: TrainingReport
    report_path: Path
    ledger_path: Path
    models_dir: Path

    @property
    def results(self) -> tuple[FamilyResult, ...]:
        """A row per job × family, also for those that did not run."""
        return self.report.results

    @cached_property
    def counts(self) -> dict[FamilyState, int]:
        """How many pairs ended in each state."""
        found = Counter(result.state for result in self.results)
        return {state: found.get(state, 0) for state in FamilyState}

    @property
    def failed(self) -> tuple[FamilyResult, ...]:
        """The pairs that failed."""
        return tuple(result for result in self.results if result.state is FamilyState.FAILED)

    @property
    def all_failed(self) -> bool:
        """Whether something was to be trained and nothing was."""
        return bool(self.failed) and not self.counts[FamilyState.DONE]

    @property
    def nothing_to_train(self) -> str | None:
        """Why there was nothing to train, or None where there was."""
        return self.report.nothing_to_train

    @property
    def exit_code(self) -> int:
        """1 where a pair failed, else 0."""
        return 1 if self.failed else 0


def build_report(
    plan: TrainingPlan,
    results: Sequence[FamilyResult],
    *,
    generated_at: str,
    left_over: Sequence[str] = (),
    nothing: str | None = None,
    stopped: str | None = None,
    trained_again: Sequence[str] = (),
) -> TrainingReport:
    """Count and compare; ``results`` stand in the order of the plan."""
    planned = [result for result in results if result.state is not FamilyState.NOT_PLANNED]
    done = [result for result in planned if result.state is FamilyState.DONE]
    return TrainingReport(
        schema_version=TRAINING_REPORT_SCHEMA_VERSION,
        plan_id=plan.metadata.plan_id,
        run_id=plan.metadata.run_id,
        generated_at=generated_at,
        planned=len(planned),
        executed=sum(not result.resumed for result in done),
        resumed=sum(result.resumed for result in done),
        nothing_to_train=nothing,
        stopped=stopped,
        families=_by_family(results),
        routes=_by_route(planned),
        failures=summarise_failures(planned),
        gaps=tuple(_gap(result) for result in planned if result.state is not FamilyState.DONE),
        trained_again=tuple(trained_again),
        left_over_models=tuple(left_over),
        results=tuple(results),
    )


def write_report(report: TrainingReport, directory: Path) -> Path:
    """Write ``training_report.json`` and ``training_report.md``; return the path of the first."""
    path = directory / f"{REPORT}.json"
    write_json_artifact(path, report.to_json())
    write_atomically(directory / f"{REPORT}.md", report_text(report).encode("utf-8"))
    return path


def left_over_models(models: Path, plan: TrainingPlan) -> tuple[str, ...]:
    """Return the folders of models whose job this plan does not have; they are left where they are."""
    known = set(folder_names(job.job_id for job in plan.jobs).values())
    if not models.is_dir():
        return ()
    others = (folder for folder in models.iterdir() if folder.name not in known)
    return tuple(sorted(folder.name for folder in others if any(folder.glob(f"*/{MANIFEST}"))))


def nothing_reason(plan: TrainingPlan, jobs: Sequence[TrainingJob], closed: Sequence[FamilyResult]) -> str:
    """Say why a run that has no pair to train has none; ``jobs`` are the selected ones."""
    if not plan.jobs:
        return f"nothing to train: {_why_no_jobs(plan.summary)}"
    if not jobs:
        return f"nothing to train: none of the plan's {len(plan.jobs)} jobs is selected"
    absent = {result.family for result in closed if result.state is not FamilyState.NOT_PLANNED}
    if absent:
        return f"nothing to train: {bounded(two_stage_order(absent), limit=25)} not installed"
    return f"nothing to train: no family that was asked for is planned for the {len(jobs)} selected jobs"


def _why_no_jobs(summary: TrainingPlanSummary) -> str:
    pairs = max(summary.total_pairs, summary.total_blocked)
    if pairs == 0:
        return "the plan has no (target, symbol); route a table with a row for each symbol"
    reasons = {**summary.blocked_reasons}
    if summary.pairs_without_pool:
        reasons[f"routed to {NO_POOL}"] = summary.pairs_without_pool
    if summary.budget is not None and summary.budget.left_out:
        reasons["left out by the budget"] = len(summary.budget.left_out)
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join([f"{summary.total_blocked} of {pairs} blocked", *(f"{n} {why}" for why, n in ordered)])


def _gap(result: FamilyResult) -> str:
    state = "not run" if result.state in _UNENDED else str(result.state)
    reason = (result.reason or "").removeprefix("not run: ")
    return f"{result.job_id} × {result.family}: {state}" + (f": {reason}" if reason else "")


def _by_family(results: Iterable[FamilyResult]) -> dict[str, FamilyCounts]:
    groups: dict[str, list[FamilyResult]] = {}
    for result in results:
        groups.setdefault(result.family, []).append(result)
    return {family: _family_counts(groups[family]) for family in two_stage_order(groups)}


def _family_counts(group: Sequence[FamilyResult]) -> FamilyCounts:
    states = Counter(result.state for result in group)
    resumed = sum(result.resumed for result in group)
    return FamilyCounts(
        planned=len(group) - states[FamilyState.NOT_PLANNED],
        executed=states[FamilyState.DONE] - resumed,
        resumed=resumed,
        failed=states[FamilyState.FAILED],
        skipped=states[FamilyState.SKIPPED],
        not_run=sum(states[state] for state in _UNENDED),
        not_planned=states[FamilyState.NOT_PLANNED],
        seconds=round(sum(result.seconds or 0.0 for result in group), 3),
        peak_memory_bytes=max(result.peak_memory_bytes or 0 for result in group),
    )


def _by_route(planned: Iterable[FamilyResult]) -> dict[str, RouteSkill]:
    groups: dict[str, list[Expectation]] = {}
    for result in planned:
        if result.score is not None and result.expected_score is not None:
            model = Expectation(result.expected_score, result.score, result.scored_rows or 0, result.target)
            groups.setdefault(str(result.route), []).append(model)
    found = {route: route_skill(models) for route, models in sorted(groups.items())}
    if len(groups) > 1:
        found[ALL_ROUTES] = route_skill([model for models in groups.values() for model in models])
    return found

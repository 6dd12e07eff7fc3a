"""Whether a plan still fits what it was made from: by content, never by file time.

`recorded_inputs` is what a plan says it was made from; `inputs_beside` reads what lies beside it now; the caller adds
what only it knows (settings, data). What differs is named.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from trainroute.errors import StalePlanError
from trainroute.plan.legacy import is_legacy_plan
from trainroute.plan.problem import Problem, Severity
from trainroute.provenance import code_version
from trainroute.records.candidates_io import find_candidates, read_candidates
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing_io import JSON_NAME, read_routing_metadata

ROUTING_PLAN_DIR = Path("METRICS/routing_plan")


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """What a plan is made from; None: not known, so not compared."""

    routing_plan_id: str | None = None
    metrics_snapshot: str | None = None
    config_hash: str | None = None
    data_fingerprint: str | None = None
    code_version: str | None = None


_MEANING = {
    "routing_plan_id": "the routing plan was made again with other decisions",
    "metrics_snapshot": "the routing candidates changed",
    "config_hash": "the routing or planning settings changed",
    "data_fingerprint": "the data changed",
}


def output_of(plan_dir: Path) -> Path:
    """Return the output directory that a plan lies in (``<output>/globals/training_plan``)."""
    return plan_dir.resolve().parent.parent


def inputs_beside(plan_dir: Path) -> PlanInputs:
    """Read the inputs that lie in the output directory of a plan (``<output>/globals/training_plan``).

    Raises
    ------
    BrokenPlanError, CandidatesError
        If a routing plan or a candidates table lies there and cannot be trusted.
    """
    output = output_of(plan_dir)
    inputs = PlanInputs(code_version=code_version())
    if (output / ROUTING_PLAN_DIR / JSON_NAME).exists():
        found = read_routing_metadata(output / ROUTING_PLAN_DIR)
        inputs = replace(inputs, routing_plan_id=found.plan_id)
    table = find_candidates(output / ROUTING_PLAN_DIR.parent)
    if table is not None:
        inputs = replace(inputs, metrics_snapshot=read_candidates(table).snapshot)
    return inputs


def changes_since(plan: TrainingPlan, now: PlanInputs) -> list[Problem]:
    """Return what differs between what a plan was made from and what is there now.

    A legacy plan records nothing, so nothing differs. Another code version is a warning.
    """
    if is_legacy_plan(plan):
        return []
    made_from = recorded_inputs(plan)
    problems = []
    for name, meaning in _MEANING.items():
        was, present = getattr(made_from, name), getattr(now, name)
        if was is not None and present is not None and was != present:
            text = f"{meaning} ({name} was {was[:16]}, is {present[:16]})"
            problems.append(Problem(severity=Severity.ERROR, kind="stale", message=text))
    if now.code_version is not None and now.code_version != made_from.code_version:
        text = f"made by trainroute {made_from.code_version}, this is {now.code_version}"
        problems.append(Problem(severity=Severity.WARNING, kind="code version", message=text))
    return problems


def require_fresh(plan: TrainingPlan, now: PlanInputs) -> list[Problem]:
    """Refuse a stale plan; return the warnings.

    Raises
    ------
    StalePlanError
        If the routing plan, the candidates, the settings or the data changed since; the message says which.
    """
    problems = changes_since(plan, now)
    stale = [problem.message for problem in problems if problem.severity is Severity.ERROR]
    if stale:
        raise StalePlanError(
            f"training plan {plan.metadata.plan_id} is stale: {'; '.join(stale)}; make the plan again with "
            "'trainroute run --skip-training'"
        )
    return problems


def recorded_inputs(plan: TrainingPlan) -> PlanInputs:
    """Return what a plan says it was made from."""
    meta = plan.metadata
    return PlanInputs(
        routing_plan_id=meta.routing_plan_id,
        metrics_snapshot=meta.metrics_snapshot,
        config_hash=meta.config_hash,
        data_fingerprint=meta.data_fingerprint,
        code_version=meta.code_version,
    )

"""A plan on disk against everything that lies beside it."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from trainroute.config import Config
from trainroute.errors import BrokenPlanError, EditedPlanError
from trainroute.plan.legacy import is_legacy_plan
from trainroute.plan.load import load_training_plan
from trainroute.plan.problem import Problem, Severity
from trainroute.plan.staleness import inputs_beside, output_of
from trainroute.plan.validate import validate_plan
from trainroute.records.pins import unmatched_pins
from trainroute.records.places import ROUTING_PLAN_DIR
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_file import routing_plan_file
from trainroute.records.routing_io import read_routing_plan


def routing_plan_beside(plan_dir: Path, *, allow_edited: bool = False) -> RoutingPlan | None:
    """Return the routing plan in the output directory of a training plan, or None where there is none.

    It has no reasons and margins; ``allow_edited`` as of `read_routing_plan`.

    Raises
    ------
    BrokenPlanError
        If there is one and it cannot be trusted.
    """
    path = routing_plan_file(output_of(plan_dir) / ROUTING_PLAN_DIR)
    if not path.exists() and path.parent.is_dir():
        raise BrokenPlanError(f"{path}: not found, though its directory is there; restore it or decide again")
    return read_routing_plan(path, allow_edited=allow_edited, explained=False) if path.exists() else None


def plan_to_validate(plan_dir: Path) -> tuple[TrainingPlan, list[Problem]]:
    """Read the plan in a directory; that it was edited is a problem, and no reason not to look at the rest.

    Raises
    ------
    BrokenPlanError
        If it cannot be read.
    """
    try:
        return load_training_plan(plan_dir), []
    except EditedPlanError as error:
        edited = Problem(severity=Severity.ERROR, kind="edited", message=str(error))
        return load_training_plan(plan_dir, allow_edited=True), [edited]


def problems_beside(
    plan_dir: Path,
    plan: TrainingPlan,
    *,
    config: Config | None = None,
    data_fingerprint: str | None = None,
    data_targets: Collection[str] | None = None,
    data_symbols: Collection[str] | None = None,
) -> list[Problem]:
    """Return what is wrong with the plan in a directory, against what lies beside it and what is known besides.

    What should lie beside it and does not is a warning: a plan that was copied alone cannot be checked against it. A
    pin that means no pair is one too. An edited routing plan is an error, and all the rest is said all the same.

    Raises
    ------
    BrokenPlanError, CandidatesError
        If a routing plan or a candidates table lies beside it and cannot be read.
    """
    found = []
    try:
        routing = routing_plan_beside(plan_dir)
    except EditedPlanError as error:
        found.append(Problem(severity=Severity.ERROR, kind="edited", message=str(error)))
        routing = routing_plan_beside(plan_dir, allow_edited=True)
    now = replace(inputs_beside(plan_dir, config, allow_edited=bool(found)), data_fingerprint=data_fingerprint)
    found += validate_plan(plan, routing=routing, now=now, data_targets=data_targets, data_symbols=data_symbols)
    for name in [] if routing is None else unmatched_pins(routing.routing.pins, routing.pairs):
        text = f"{name} means no (target, symbol) of the routing plan"
        found.append(Problem(severity=Severity.WARNING, kind="pin", message=text))
    lacking = [] if routing is not None else ["routing plan"]
    lacking += [] if now.metrics_snapshot is not None else ["routing candidates"]
    if lacking and not is_legacy_plan(plan):
        text = f"no {' and no '.join(lacking)} under {output_of(plan_dir)} to compare the plan with"
        found.append(Problem(severity=Severity.WARNING, kind="not checked", message=text))
    if plan.metadata.data_fingerprint is None and not is_legacy_plan(plan):
        text = "data: the plan records no data_fingerprint, so a change of the data cannot be noticed"
        found.append(Problem(severity=Severity.WARNING, kind="not checked", message=text))
    return found

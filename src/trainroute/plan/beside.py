"""A plan on disk against everything that lies beside it."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from trainroute.config import Config
from trainroute.plan.legacy import is_legacy_plan
from trainroute.plan.problem import Problem, Severity
from trainroute.plan.staleness import ROUTING_PLAN_DIR, inputs_beside, output_of
from trainroute.plan.validate import validate_plan
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import read_routing_plan, routing_plan_file


def routing_plan_beside(plan_dir: Path) -> RoutingPlan | None:
    """Return the routing plan in the output directory of a training plan, or None where there is none.

    Raises
    ------
    BrokenPlanError
        If there is one and it cannot be trusted.
    """
    path = routing_plan_file(output_of(plan_dir) / ROUTING_PLAN_DIR)
    return read_routing_plan(path) if path.is_file() else None


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

    What should lie beside it and does not is a warning: a plan that was copied alone cannot be checked against it.

    Raises
    ------
    BrokenPlanError, CandidatesError
        If a routing plan or a candidates table lies beside it and cannot be trusted.
    """
    now = replace(inputs_beside(plan_dir), data_fingerprint=data_fingerprint)
    if config is not None:
        now = replace(now, config_hash=config.config_hash)
    routing = routing_plan_beside(plan_dir)
    found = validate_plan(plan, routing=routing, now=now, data_targets=data_targets, data_symbols=data_symbols)
    lacking = [] if routing is not None else ["routing plan"]
    lacking += [] if now.metrics_snapshot is not None else ["routing candidates"]
    if lacking and not is_legacy_plan(plan):
        text = f"no {' and no '.join(lacking)} under {output_of(plan_dir)} to compare the plan with"
        found.append(Problem(severity=Severity.WARNING, kind="not checked", message=text))
    return found

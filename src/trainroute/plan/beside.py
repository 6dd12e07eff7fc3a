"""A plan on disk against everything that lies beside it."""

from dataclasses import replace
from pathlib import Path

from trainroute.config import Config
from trainroute.plan.problem import Problem
from trainroute.plan.staleness import ROUTING_PLAN_DIR, inputs_beside
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
    path = routing_plan_file(plan_dir.absolute().parent.parent / ROUTING_PLAN_DIR)
    return read_routing_plan(path) if path.is_file() else None


def problems_beside(
    plan_dir: Path, plan: TrainingPlan, *, config: Config | None = None, data_fingerprint: str | None = None
) -> list[Problem]:
    """Return what is wrong with the plan in a directory, against what lies beside it and what is known besides.

    Raises
    ------
    BrokenPlanError, CandidatesError
        If a routing plan or a candidates table lies beside it and cannot be trusted.
    """
    now = replace(inputs_beside(plan_dir), data_fingerprint=data_fingerprint)
    if config is not None:
        now = replace(now, config_hash=config.config_hash)
    return validate_plan(plan, routing=routing_plan_beside(plan_dir), now=now)

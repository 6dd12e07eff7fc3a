"""Each stage alone, with the files that it reads and writes, for programs that measure or plan on their own.

The order of the stages is in `trainroute.pipeline`, which is made of these. A stage is imported when it is asked for:
comparing two plans needs none of the statistics that measuring needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainroute.stages.common import (
        METRICS,
        ROUTING_PLAN,
        TRAINING_PLAN,
        ConfigLike,
        as_config,
        check_places,
        families_asked_for,
    )
    from trainroute.stages.comparing import diff
    from trainroute.stages.measuring import Choice, MetricsAggregator, measure
    from trainroute.stages.planning import TrainingPlanGenerator, TrainingRouter, budget_of, plan_candidates
    from trainroute.stages.result import RunResult
    from trainroute.stages.training import train_by_plan, train_planned, train_without_plan
    from trainroute.stages.trying import sweep, what_if

_HOMES = {
    "METRICS": "common",
    "ROUTING_PLAN": "common",
    "TRAINING_PLAN": "common",
    "Choice": "measuring",
    "ConfigLike": "common",
    "MetricsAggregator": "measuring",
    "RunResult": "result",
    "TrainingPlanGenerator": "planning",
    "TrainingRouter": "planning",
    "as_config": "common",
    "budget_of": "planning",
    "check_places": "common",
    "diff": "comparing",
    "families_asked_for": "common",
    "measure": "measuring",
    "plan_candidates": "planning",
    "sweep": "trying",
    "train_by_plan": "training",
    "train_planned": "training",
    "train_without_plan": "training",
    "what_if": "trying",
}

__all__ = [
    "METRICS",
    "ROUTING_PLAN",
    "TRAINING_PLAN",
    "Choice",
    "ConfigLike",
    "MetricsAggregator",
    "RunResult",
    "TrainingPlanGenerator",
    "TrainingRouter",
    "as_config",
    "budget_of",
    "check_places",
    "diff",
    "families_asked_for",
    "measure",
    "plan_candidates",
    "sweep",
    "train_by_plan",
    "train_planned",
    "train_without_plan",
    "what_if",
]


def __getattr__(name: str) -> object:
    """Import a stage when one of its names is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

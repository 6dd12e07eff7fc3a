"""Each stage alone, with the files that it reads and writes, for programs that measure or plan on their own.

The order of the stages is in `trainroute.pipeline`, which is made of these. A stage is imported when it is asked for:
comparing two plans needs none of the statistics that measuring needs.
"""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

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
    from trainroute.stages.planning import (
        TrainingPlanGenerator,
        TrainingRouter,
        budget_of,
        check_plan_dirs,
        plan_candidates,
    )
    from trainroute.stages.planning_lock import planning_into
    from trainroute.stages.result import RunResult
    from trainroute.stages.training import train_by_plan, train_planned, train_without_plan
    from trainroute.stages.trying import sweep, what_if

_HOMES = {
    "METRICS": "trainroute.stages.common",
    "ROUTING_PLAN": "trainroute.stages.common",
    "TRAINING_PLAN": "trainroute.stages.common",
    "Choice": "trainroute.stages.measuring",
    "ConfigLike": "trainroute.stages.common",
    "MetricsAggregator": "trainroute.stages.measuring",
    "RunResult": "trainroute.stages.result",
    "TrainingPlanGenerator": "trainroute.stages.planning",
    "TrainingRouter": "trainroute.stages.planning",
    "as_config": "trainroute.stages.common",
    "budget_of": "trainroute.stages.planning",
    "check_places": "trainroute.stages.common",
    "check_plan_dirs": "trainroute.stages.planning",
    "diff": "trainroute.stages.comparing",
    "families_asked_for": "trainroute.stages.common",
    "measure": "trainroute.stages.measuring",
    "plan_candidates": "trainroute.stages.planning",
    "planning_into": "trainroute.stages.planning_lock",
    "sweep": "trainroute.stages.trying",
    "train_by_plan": "trainroute.stages.training",
    "train_planned": "trainroute.stages.training",
    "train_without_plan": "trainroute.stages.training",
    "what_if": "trainroute.stages.trying",
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
    "check_plan_dirs",
    "diff",
    "families_asked_for",
    "measure",
    "plan_candidates",
    "planning_into",
    "sweep",
    "train_by_plan",
    "train_planned",
    "train_without_plan",
    "what_if",
]

__getattr__ = imported_when_asked(__name__, _HOMES)

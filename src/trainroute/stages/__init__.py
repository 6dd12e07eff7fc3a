"""Each stage alone, with the files that it reads and writes, for programs that measure or plan on their own.

The order of the stages is in `trainroute.pipeline`, which is made of these.
"""

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

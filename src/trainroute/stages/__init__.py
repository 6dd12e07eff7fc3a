"""Each stage alone, with the files that it reads and writes, for programs that measure or plan on their own.

The order of the stages is in `trainroute.pipeline`, which is made of these.
"""

from trainroute.stages.common import METRICS, ROUTING_PLAN, TRAINING_PLAN, ConfigLike, as_config
from trainroute.stages.measuring import Choice, MetricsAggregator, measure
from trainroute.stages.planning import TrainingPlanGenerator, TrainingRouter
from trainroute.stages.training import train_planned, train_without_plan

__all__ = [
    "METRICS",
    "ROUTING_PLAN",
    "TRAINING_PLAN",
    "Choice",
    "ConfigLike",
    "MetricsAggregator",
    "TrainingPlanGenerator",
    "TrainingRouter",
    "as_config",
    "measure",
    "train_planned",
    "train_without_plan",
]

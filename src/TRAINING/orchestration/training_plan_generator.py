"""Decisions to jobs."""

from trainroute.records.plan import TrainingJob
from trainroute.stages import TrainingPlanGenerator

__all__ = ["TrainingJob", "TrainingPlanGenerator"]

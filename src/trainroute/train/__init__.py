"""Train exactly the jobs of a plan: CPU families first, GPU families second."""

from trainroute.train.artifact import load_model, read_manifest
from trainroute.train.outcome import TrainingOutcome
from trainroute.train.run import train_plan

__all__ = ["TrainingOutcome", "load_model", "read_manifest", "train_plan"]

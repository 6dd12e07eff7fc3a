"""Train exactly the jobs of a plan: CPU families first, GPU families second."""

from trainroute.train.artifact import load_model, read_manifest
from trainroute.train.outcome import TrainingOutcome
from trainroute.train.run import mean_seconds, require_free, train_nothing, train_plan
from trainroute.train.selection import Selection, select

__all__ = [
    "Selection",
    "TrainingOutcome",
    "load_model",
    "mean_seconds",
    "read_manifest",
    "require_free",
    "select",
    "train_nothing",
    "train_plan",
]

"""Train exactly the jobs of a plan: CPU families first, GPU families second.

What trains is imported when something is trained; planning asks only what earlier runs left.
"""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

if TYPE_CHECKING:
    from trainroute.train.artifact import load_model, read_manifest
    from trainroute.train.earlier import mean_seconds, require_free
    from trainroute.train.outcome import TrainingOutcome
    from trainroute.train.run import train_nothing, train_plan
    from trainroute.train.selection import Selection, select

_HOMES = {
    "Selection": "trainroute.train.selection",
    "TrainingOutcome": "trainroute.train.outcome",
    "load_model": "trainroute.train.artifact",
    "mean_seconds": "trainroute.train.earlier",
    "read_manifest": "trainroute.train.artifact",
    "require_free": "trainroute.train.earlier",
    "select": "trainroute.train.selection",
    "train_nothing": "trainroute.train.run",
    "train_plan": "trainroute.train.run",
}

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

__getattr__ = imported_when_asked(__name__, _HOMES)

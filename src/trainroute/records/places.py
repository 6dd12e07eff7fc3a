"""Where the parts of a run stand below its output directory."""

from pathlib import Path

DEFAULT_OUTPUT = Path("results")
ROUTING_PLAN_DIR = Path("METRICS/routing_plan")
TRAINING_PLAN_DIRS = (Path("globals/training_plan"), Path("METRICS/training_plan"))
"""The primary place, and the one that is read as a legacy fallback."""

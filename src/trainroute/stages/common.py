"""Where the stages write, and how settings reach them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainroute.config import Config, check_config, load_config
from trainroute.plan import ROUTING_PLAN_DIR

ConfigLike = Config | Mapping[str, Any] | Path | str | None
"""Settings as an object, as the content of a config file, as its path; None: what `load_config` finds."""

METRICS = Path("METRICS")
ROUTING_PLAN = ROUTING_PLAN_DIR
TRAINING_PLAN = Path("globals", "training_plan")


def as_config(config: ConfigLike) -> Config:
    """Return settings given as an object, as the content of a config file, as its path, or not at all."""
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return check_config(config, "the settings given")
    return load_config(None if config is None else Path(config))

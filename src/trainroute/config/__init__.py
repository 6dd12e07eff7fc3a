"""Settings: read once, checked at once, frozen from then on."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

if TYPE_CHECKING:
    from trainroute.config.load import check_config, default_config_text, load_config, parse_config
    from trainroute.config.schema import Config

WORKING_DIRECTORY_CONFIG = Path("CONFIG/training_config/routing_config.yaml")
"""The config file that is read where none is given and this one is there."""

_HOMES = {
    "Config": "trainroute.config.schema",
    "check_config": "trainroute.config.load",
    "default_config_text": "trainroute.config.load",
    "load_config": "trainroute.config.load",
    "parse_config": "trainroute.config.load",
}

__all__ = ["WORKING_DIRECTORY_CONFIG", "Config", "check_config", "default_config_text", "load_config", "parse_config"]

__getattr__ = imported_when_asked(__name__, _HOMES)

"""Settings: read once, checked at once, frozen from then on."""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

if TYPE_CHECKING:
    from trainroute.config.load import check_config, default_config_text, load_config, parse_config
    from trainroute.config.schema import Config

_HOMES = {
    "Config": "trainroute.config.schema",
    "check_config": "trainroute.config.load",
    "default_config_text": "trainroute.config.load",
    "load_config": "trainroute.config.load",
    "parse_config": "trainroute.config.load",
}

__all__ = ["Config", "check_config", "default_config_text", "load_config", "parse_config"]

__getattr__ = imported_when_asked(__name__, _HOMES)

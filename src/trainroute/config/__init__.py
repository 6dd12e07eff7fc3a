"""Settings: read once, checked at once, frozen from then on."""

from trainroute.config.load import check_config, default_config_text, load_config, parse_config
from trainroute.config.schema import Config

__all__ = ["Config", "check_config", "default_config_text", "load_config", "parse_config"]

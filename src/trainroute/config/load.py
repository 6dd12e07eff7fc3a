"""Find, read and check the config file. Nothing else in trainroute reads config files."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trainroute.config.schema import Config
from trainroute.errors import ConfigError, bounded

WORKING_DIRECTORY_CONFIG = Path("CONFIG/training_config/routing_config.yaml")


def default_config_text() -> str:
    """Return the packaged default config, commented, as YAML."""
    return (files("trainroute.config") / "routing_config.yaml").read_text(encoding="utf-8")


def load_config(path: Path | None = None) -> Config:
    """Read a config file; without a path that of the working directory, else the packaged default.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, has an unknown key or an impossible value. The message names each key.
    """
    if path is None and WORKING_DIRECTORY_CONFIG.is_file():
        path = WORKING_DIRECTORY_CONFIG
    if path is None:
        return parse_config(default_config_text(), "the packaged default")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path}: cannot be read ({error}); 'trainroute init' writes one") from None
    return parse_config(text, str(path))


def parse_config(text: str, source: str) -> Config:
    """Check the text of a config file; ``source`` names it in messages."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"config {source}: not valid YAML ({_one_line(error)})") from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError(f"config {source}: expected a mapping with the key 'routing', got {type(document).__name__}")
    return check_config(document, source)


def check_config(document: Mapping[str, Any], source: str) -> Config:
    """Check the content of a config file; ``source`` names it in messages."""
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"config {source}: {describe(error)}") from None


def describe(error: ValidationError) -> str:
    """Turn a Pydantic error into one line that names every key."""
    problems: dict[str, str] = {}
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"] if str(part).islower() or not isinstance(part, str))
        problems.setdefault(key, _problem(item))
    return bounded([f"{key}: {problem}" for key, problem in problems.items()], limit=5)


def _problem(item: Any) -> str:  # noqa: ANN401 - Pydantic's ErrorDetails is private to pydantic-core
    if item["type"] == "extra_forbidden":
        return "unknown key; see 'trainroute init' for all keys"
    return f"{item['msg']}, got {item['input']!r}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

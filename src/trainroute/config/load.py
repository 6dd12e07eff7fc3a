"""Find, read and check the config file. Nothing else in trainroute reads config files."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trainroute.config import WORKING_DIRECTORY_CONFIG
from trainroute.config.keys import flat_settings
from trainroute.config.schema import Config
from trainroute.config.strict_yaml import load_yaml
from trainroute.errors import ConfigError, bounded, one_line


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
        document = load_yaml(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # a day such as 2027-13-31 is a ValueError
        raise ConfigError(f"config {source}: not valid YAML ({one_line(error)})") from None
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
        raise ConfigError(f"config {source}: {describe(error, document)}") from None


def describe(error: ValidationError, document: object) -> str:
    """Turn a Pydantic error about a document into one line that names every key."""
    problems: dict[str, str] = {}
    for item in error.errors(include_url=False):
        key = ".".join(_keys(item, document))
        problems.setdefault(key, _problem(item, key))
    return bounded([f"{key}: {problem}" for key, problem in problems.items()], limit=5)


def _keys(item: Any, document: object) -> Iterator[str]:  # noqa: ANN401 - Pydantic's ErrorDetails is private to pydantic-core
    """Yield the keys that lead to a problem; the names of types that Pydantic puts between them are left out."""
    at = document
    for part in item["loc"]:
        if (isinstance(at, Mapping) and part in at) or (isinstance(at, Sequence) and isinstance(part, int)):
            yield str(part)
            at = at[part]
    if item["type"] == "missing":
        yield str(item["loc"][-1])


def _like(key: str) -> str:
    """Suggest the key that is meant, where one is like it."""
    known = [name.split(".") for name in flat_settings(Config().model_dump(mode="json"), "")]
    depth = key.count(".") + 1
    near = get_close_matches(key, {".".join(parts[:depth]) for parts in known if len(parts) >= depth}, n=1, cutoff=0.8)
    return f", did you mean {near[0]}?" if near else ""


def _problem(item: Any, key: str) -> str:  # noqa: ANN401 - as above
    if item["type"] == "extra_forbidden":
        return f"unknown key{_like(key)}; see 'trainroute init' for all keys"
    if item["type"] == "missing":
        return "missing; give it too"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    if item["type"] == "too_short":
        return "must not be empty"
    if item["type"] == "string_type" and isinstance(item["input"], bool | int | float):
        return f"expected text, got {item['input']!r}; put it in quotes"
    return f"{item['msg'].replace('tuple', 'list')}, got {item['input']!r}"

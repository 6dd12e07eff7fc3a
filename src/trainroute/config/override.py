"""Settings with some keys changed: what `--set routing.symbol.min_score=0.55` means."""

from collections.abc import Mapping
from typing import Any

import yaml

from trainroute.config.keys import put
from trainroute.config.load import check_config
from trainroute.config.schema import Config
from trainroute.config.strict_yaml import load_yaml
from trainroute.errors import UsageError, one_line

DECIDING = ("routing", "planning")


def with_settings(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a config with the values of some keys changed, checked as a config file is.

    Parameters
    ----------
    config : Config
    changes : mapping of str to object
        By key, such as ``routing.symbol.min_score``.

    Raises
    ------
    ConfigError
        If a key does not exist or a value is impossible.

    Examples
    --------
    >>> with_settings(Config(), {"routing.symbol.min_score": 0.55}).routing.symbol.min_score
    0.55
    """
    document = config.model_dump(mode="json")
    for key, value in changes.items():
        put(document, key, value)
    return check_config(document, f"with {', '.join(changes)}")


def parse_setting(text: str) -> tuple[str, Any]:
    """Read ``key=value``; the value is YAML, as in a config file.

    Raises
    ------
    UsageError
        If it is no such pair, or the key is none that decides routes and jobs.

    Examples
    --------
    >>> parse_setting("routing.stability_allowlist.symbol=[STABLE]")
    ('routing.stability_allowlist.symbol', ['STABLE'])
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UsageError(f"--set {text}: expected key=value, e.g. routing.symbol.min_score=0.55")
    check_decides(key)
    try:
        return key, load_yaml(value)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"--set {text}: the value is not YAML ({one_line(error)})") from None


def check_decides(key: str) -> None:
    """Refuse a key on which evidence depends, so that nothing can be said without measuring again.

    Raises
    ------
    UsageError
        If the key is not of `routing` or `planning`.
    """
    if key.split(".", maxsplit=1)[0] not in DECIDING:
        raise UsageError(
            f"{key}: only keys of {' and '.join(DECIDING)} can be tried; others need 'trainroute run' again"
        )

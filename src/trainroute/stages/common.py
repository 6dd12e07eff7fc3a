"""Where the stages write, how settings reach them, and what is checked before any work."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainroute.config import Config, check_config, load_config
from trainroute.errors import ConfigError, UsageError
from trainroute.families import FAMILIES, STANDARD, FamilySelection, select_families
from trainroute.plan import ROUTING_PLAN_DIR
from trainroute.records.patterns import is_glob, matching
from trainroute.train.settings import family_settings

ConfigLike = Config | Mapping[str, Any] | Path | str | None
"""Settings as an object, as the content of a config file, as its path; None: what `load_config` finds."""

METRICS = Path("METRICS")
ROUTING_PLAN = ROUTING_PLAN_DIR
TRAINING_PLAN = Path("globals", "training_plan")
_WRITTEN = ("METRICS", "globals", "models")


def as_config(config: ConfigLike) -> Config:
    """Return settings given as an object, as the content of a config file, as its path, or not at all.

    Raises
    ------
    ConfigError
        If they cannot be read or used, or name a model family or hyperparameter that does not exist.
    """
    if isinstance(config, Config):
        settings = config
    elif isinstance(config, Mapping):
        settings = check_config(config, "the settings given")
    else:
        settings = load_config(None if config is None else Path(config))
    _check_families(settings)
    return settings


def families_asked_for(families: Sequence[str] | None, model_types: str | None, config: Config) -> FamilySelection:
    """Return the families named (globs too), else those of the group, else the standard ones of the config."""
    if families is not None:
        families = [name for given in families for name in _meant(given)]
    return select_families(families, group=model_types or STANDARD, standard=config.planning.standard_families)


def check_places(data_dir: Path, output_dir: Path) -> None:
    """Refuse places where a later run would read its own output as data, or a run write over its data.

    Raises
    ------
    UsageError
        If the output directory lies in the data directory, or the data where output is written.
    """
    data, output = data_dir.resolve(), output_dir.resolve()
    if output.is_relative_to(data):
        raise UsageError(
            f"--output-dir {output_dir} lies in --data-dir {data_dir}, so its files would be read as data; "
            "choose a directory outside"
        )
    for name in _WRITTEN:
        if data.is_relative_to(output / name):
            raise UsageError(
                f"--data-dir {data_dir} lies in {output_dir / name}, where output is written; "
                "move the data or choose another --output-dir"
            )


def _meant(pattern: str) -> list[str]:
    """Return the families that a glob means, whatever their case; a name, or a glob that means none, as it is."""
    known = {name.casefold(): name for name in FAMILIES.names()}
    found = matching(pattern.casefold(), known) if is_glob(pattern) else set()
    return sorted(known[name] for name in found) or [pattern]


def _check_families(config: Config) -> None:
    planning = config.planning
    named = {
        "standard_families": planning.standard_families,
        "experimental_families": planning.experimental_families,
        "family_min_priority": planning.family_min_priority,
    }
    for key, names in named.items():
        try:
            select_families(tuple(names))
        except UsageError as error:
            raise ConfigError(f"planning.{key}: {error}") from None
    family_settings(FAMILIES.names(), config.training)

"""What the config says about one family: resources, limits, attempts, hyperparameters."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainroute.config.schema import FamilyConfig, TrainingConfig
from trainroute.errors import ConfigError, UnknownNameError
from trainroute.families import FAMILIES, GROUPS, Hyperparameter
from trainroute.parallel import available_cores
from trainroute.records.vocabulary import Stage

_BYTES_PER_MB = 1 << 20
_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one task may use. Beyond ``memory_bytes`` or ``seconds`` it is stopped."""

    threads: int
    memory_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class FamilySettings:
    """The settings of one family, defaults filled in."""

    resources: Resources
    attempts: int
    hyperparameters: dict[str, Hyperparameter]


def family_settings(families: Sequence[str], config: TrainingConfig) -> dict[str, FamilySettings]:
    """Return the settings of each family.

    Raises
    ------
    ConfigError
        If ``training.families`` names a family that does not exist, names one twice, or a hyperparameter is wrong.
    """
    own = _by_family(config)
    return {name: _settings(name, own.get(name.casefold(), FamilyConfig()), config) for name in families}


def _by_family(config: TrainingConfig) -> dict[str, FamilyConfig]:
    known = {name.casefold(): name for name in (*GROUPS["both"], *FAMILIES.names())}
    found: dict[str, FamilyConfig] = {}
    for key, value in config.families.items():
        if key.casefold() not in known:
            raise ConfigError(f"training.families: {UnknownNameError('model family', key, known.values())}")
        if key.casefold() in found:
            raise ConfigError(f"training.families: {known[key.casefold()]} stands there twice; keep one")
        found[key.casefold()] = value
    return found


def stage_threads(stage: Stage, config: TrainingConfig) -> int:
    """Return the threads of one worker: as configured on the CPU; all cores beside a GPU, where one worker runs."""
    return available_cores() if stage is Stage.GPU else config.threads_per_worker


def _settings(name: str, own: FamilyConfig, config: TrainingConfig) -> FamilySettings:
    return FamilySettings(
        resources=Resources(
            threads=own.threads or stage_threads(FAMILIES.get(name).stage, config),
            memory_bytes=(own.memory_limit_mb or config.memory_limit_mb) * _BYTES_PER_MB,
            seconds=(own.time_limit_minutes or config.time_limit_minutes) * _SECONDS_PER_MINUTE,
        ),
        attempts=own.attempts or config.attempts,
        hyperparameters=FAMILIES.get(name).resolve(own.hyperparameters),
    )

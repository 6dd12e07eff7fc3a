"""What the config says about one family: resources by priority, limits, what follows a failure, hyperparameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainroute.config.schema import FamilyConfig, ResourceConfig, TrainingConfig
from trainroute.errors import ConfigError, UnknownNameError
from trainroute.families import FAMILIES, GROUPS, Hyperparameter
from trainroute.records.results import FailureKind
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
    """The settings of one family, defaults filled in.

    Attributes
    ----------
    resources : Resources
        Of a job whose priority reaches none of ``from_priority``.
    from_priority : mapping of int to Resources
    attempts : int
    retry_on : frozenset of FailureKind
        Failures after which it is tried again, while attempts are left.
    stops_run : bool
        Whether its failure ends the run.
    hyperparameters : dict
    """

    resources: Resources
    from_priority: Mapping[int, Resources]
    attempts: int
    retry_on: frozenset[FailureKind]
    stops_run: bool
    hyperparameters: dict[str, Hyperparameter]

    def resources_at(self, priority: int) -> Resources:
        """Return the resources of a job of this priority."""
        reached = [least for least in self.from_priority if priority >= least]
        return self.from_priority[max(reached)] if reached else self.resources


def family_settings(
    families: Sequence[str], config: TrainingConfig, *, gpu_threads: int | None = None
) -> dict[str, FamilySettings]:
    """Return the settings of each family.

    ``gpu_threads`` are the threads of a worker of the GPU stage, where the config gives a family none.

    Raises
    ------
    ConfigError
        If ``training.families`` names a family that does not exist, names one twice, or a hyperparameter is wrong.
    """
    own = _by_family(config)
    found = {}
    for name in families:
        given = gpu_threads if FAMILIES.get(name).stage is Stage.GPU else None
        threads = given or config.threads_per_worker
        found[name] = _settings(name, own.get(name.casefold(), FamilyConfig()), config, threads)
    return found


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


def _settings(name: str, own: FamilyConfig, config: TrainingConfig, threads: int) -> FamilySettings:
    common = Resources(
        threads=threads,
        memory_bytes=config.memory_limit_mb * _BYTES_PER_MB,
        seconds=config.time_limit_minutes * _SECONDS_PER_MINUTE,
    )
    resources = _changed(common, own)
    return FamilySettings(
        resources=resources,
        from_priority={least: _changed(resources, change) for least, change in own.from_priority.items()},
        attempts=own.attempts or config.attempts,
        retry_on=frozenset(map(FailureKind, config.retry_on if own.retry_on is None else own.retry_on)),
        stops_run=(own.on_failure or config.on_failure) == "stop",
        hyperparameters=FAMILIES.get(name).resolve(own.hyperparameters),
    )


def _changed(resources: Resources, change: ResourceConfig) -> Resources:
    limit, minutes = change.memory_limit_mb, change.time_limit_minutes
    return Resources(
        threads=change.threads or resources.threads,
        memory_bytes=resources.memory_bytes if limit is None else limit * _BYTES_PER_MB,
        seconds=resources.seconds if minutes is None else minutes * _SECONDS_PER_MINUTE,
    )

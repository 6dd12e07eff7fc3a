"""What every model family is: a declared capability, a way to fit rows, a way back from disk.

A family is one file in this package (or an entry point of the group ``trainroute.families``) with one subclass of
`Family`. Its heavy libraries are imported inside ``_fit`` and ``load``, so that looking at what a family can do costs
nothing and the CPU stage never imports a GPU library.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.errors import ConfigError, TrainingError
from trainroute.records.vocabulary import Stage, Task, TrainingType

Hyperparameter = float | int | str | bool | None

ALL_TASKS = frozenset(Task)
ALL_TRAINING_TYPES = frozenset(TrainingType)
NO_HYPERPARAMETERS: Mapping[str, Hyperparameter] = MappingProxyType({})
_LARGEST_WHOLE = 2**31 - 1
"""The largest whole number that the libraries take."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one or many symbols, sorted by symbol, then time.

    Attributes
    ----------
    features : ndarray of shape (n_rows, n_features), float32, C order
        NaN where a value is missing; never infinite.
    symbol : ndarray of shape (n_rows,), int32
        Which symbol a row belongs to; equal numbers, equal symbols. An index, not a feature.
    time : ndarray of shape (n_rows,), int32
        Position of the row's timestamp among all timestamps of the panel; ascending within a symbol.
    feature_names : tuple of str
    """

    features: NDArray[np.float32]
    symbol: NDArray[np.int32]
    time: NDArray[np.int32]
    feature_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, kw_only=True)
class Siblings:
    """Labels of other targets of the plan for the same rows, for a family that learns several at once.

    Attributes
    ----------
    names : tuple of str
    tasks : tuple of Task
        Binary or regression.
    labels : ndarray of shape (n_rows, n_siblings), float32
        NaN where a label is unknown, or ends too late to be seen beside these rows.
    """

    names: tuple[str, ...]
    tasks: tuple[Task, ...]
    labels: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TrainingRows(Rows):
    """Rows to learn from.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), float32
        The value (regression) or the number of the class, 0 … n_classes − 1 (classification). Finite; only a family
        that reads history also gets rows without a usable label, which carry NaN and teach nothing by themselves.
    usable_from : ndarray of shape (n_rows,), int32, or None
        Position among all timestamps of the panel from which on a row's label may be used: it has ended before, with
        the embargo. A model that is asked at time ``t`` may have learnt from rows with ``usable_from <= t``. None where
        nobody says it.
    siblings : Siblings or None
        Given to families that ask for them (`Family.learns_siblings`).
    """

    labels: NDArray[np.float32]
    usable_from: NDArray[np.int32] | None = None
    siblings: Siblings | None = None


@dataclass(frozen=True, kw_only=True)
class FitContext:
    """What a fit is told beside its rows.

    Attributes
    ----------
    task : Task
    n_classes : int
        2 for binary, more for multiclass, 0 for regression. A class may be absent from the training rows.
    seed : int
        The only source of randomness.
    threads : int
        The most threads that the fit may use.
    hyperparameters : mapping
        Every hyperparameter of the family; see `Family.resolve`.
    """

    task: Task
    n_classes: int
    seed: int
    threads: int
    hyperparameters: Mapping[str, Hyperparameter]

    def integer(self, name: str) -> int:
        """Return a hyperparameter whose default is an integer."""
        return int(self.hyperparameters[name] or 0)

    def number(self, name: str) -> float:
        """Return a hyperparameter whose default is a number."""
        return float(self.hyperparameters[name] or 0.0)


class FittedModel(ABC):
    """A model that has been fitted or loaded."""

    @property
    @abstractmethod
    def files(self) -> tuple[str, ...]:
        """Names of the files that `save` writes, relative to its folder."""

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """What the fit settled on, such as the number of rounds; recorded in the manifest."""
        return {}

    @abstractmethod
    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        """Predict rows.

        Returns
        -------
        ndarray
            Shape (n_rows,): probability of the higher class (binary) or the value (regression).
            Shape (n_rows, n_classes): class probabilities (multiclass).
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model into an existing folder in its library's own format; nothing is pickled."""


class Family(ABC):
    """A kind of model, and what it can do.

    Class attributes
    ----------------
    name
        As in plans, configs and on the command line (there whatever its case).
    stage
        Which stage, and so which kind of worker, runs it.
    tasks, training_types
        The jobs that it can do.
    min_rows
        The fewest training rows that it accepts.
    reads_history
        Whether a prediction reads the rows before its own (sequences, filters). Then `fit` and `predict` get every row
        of a symbol's part (training, validation, holdout), in order and without gaps that the data do not have.
    learns_siblings
        Whether it trains the target together with other targets of the plan.
    gpu_library
        What it computes with in the GPU stage; families of different libraries never share a process.
    requires
        Modules that must be installed; looked up, not imported.
    extra
        The pip extra of trainroute that installs them, if they are optional.
    fixed_seconds, seconds_per_million_rows
        The planner's cost formula: a constant, plus so much per million rows of 100 features on one core.
    hyperparameters
        Names and defaults; ``training.families.<name>.hyperparameters`` of the config overrides them.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    tasks: ClassVar[frozenset[Task]] = ALL_TASKS
    training_types: ClassVar[frozenset[TrainingType]] = ALL_TRAINING_TYPES
    min_rows: ClassVar[int]
    reads_history: ClassVar[bool] = False
    learns_siblings: ClassVar[bool] = False
    gpu_library: ClassVar[str | None] = None
    requires: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str | None] = None
    fixed_seconds: ClassVar[float] = 0.0
    seconds_per_million_rows: ClassVar[float]
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = NO_HYPERPARAMETERS

    @classmethod
    def missing_libraries(cls) -> tuple[str, ...]:
        """Return the required modules that are not installed."""
        return tuple(module for module in cls.requires if find_spec(module) is None)

    @classmethod
    def install_hint(cls) -> str:
        """Return how to install what the family needs."""
        return f"pip install 'trainroute[{cls.extra}]'" if cls.extra else f"pip install {' '.join(cls.requires)}"

    @classmethod
    def unfit_reason(cls, *, task: Task, training_type: TrainingType, n_rows: int | None) -> str | None:
        """Return why the family cannot do a job, or None where it can.

        ``n_rows`` is None where the planner does not know it.
        """
        if task not in cls.tasks:
            return f"{cls.name} does not do {task} targets"
        if training_type not in cls.training_types:
            return f"{cls.name} does not train {training_type} jobs"
        if n_rows is not None and n_rows < cls.min_rows:
            return f"{cls.name} needs {cls.min_rows} rows, got {n_rows}"
        return None

    @classmethod
    def estimate_seconds(cls, n_rows: int, n_features: int = 100) -> float:
        """Return the planner's estimate of one fit on one core; a fixed formula, measured nowhere at run time."""
        return round(cls.fixed_seconds + cls.seconds_per_million_rows * n_rows / 1e6 * n_features / 100, 3)

    @classmethod
    def resolve(cls, overrides: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Merge overrides from the config into the defaults.

        Raises
        ------
        ConfigError
            If a hyperparameter is unknown, or its value is of another kind than the default, or a whole number beyond
            what libraries take.
        """
        for key, value in overrides.items():
            _check_override(cls.name, cls.hyperparameters, key, value)
        return {**cls.hyperparameters, **overrides}

    def fit(self, train: TrainingRows, validation: TrainingRows, *, context: FitContext) -> FittedModel:
        """Fit on ``train``; ``validation`` decides when to stop and how members are weighted.

        ``validation`` holds later rows, purged so that no training label reaches into them. It may be empty.

        Raises
        ------
        TrainingError
            If the rows cannot teach: too few, one class, a constant target, infinite values.
        """
        _check_features(self.name, train)
        _check_features(self.name, validation)
        _check_labels(self.name, train, context, min_rows=self.min_rows, unlabelled=self.reads_history)
        return self._fit(train, validation, context)

    @abstractmethod
    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel: ...

    @abstractmethod
    def load(self, folder: Path) -> FittedModel:
        """Read back what `FittedModel.save` wrote."""


def _check_override(family: str, known: Mapping[str, Hyperparameter], key: str, value: Hyperparameter) -> None:
    where = f"training.families.{family}.hyperparameters.{key}"
    if key not in known:
        close = get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
        raise ConfigError(f"{where}: unknown hyperparameter; {hint}")
    default = known[key]
    kinds: tuple[type, ...] = (int, float) if isinstance(default, float) else (type(default),)
    if default is not None and (not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool)):
        raise ConfigError(f"{where}: expected {type(default).__name__} such as {default!r}, got {value!r}")
    if isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
        raise ConfigError(f"{where}: expected a whole number of at most {_LARGEST_WHOLE}, got {value!r}")


def _check_features(family: str, rows: Rows) -> None:
    if rows.features.shape != (len(rows), len(rows.feature_names)):
        raise ValueError(f"features of shape {rows.features.shape} for {len(rows.feature_names)} names")
    infinite = np.isinf(rows.features).any(axis=0)
    if infinite.any():
        column = rows.feature_names[int(infinite.argmax())]
        raise TrainingError(f"{family}: feature {column!r} holds infinite values; expected numbers or NaN")


def _check_labels(family: str, rows: TrainingRows, context: FitContext, *, min_rows: int, unlabelled: bool) -> None:
    labels = rows.labels[~np.isnan(rows.labels)] if unlabelled else rows.labels
    if len(labels) < min_rows:
        raise TrainingError(f"{family}: {len(labels)} training rows; at least {min_rows} are needed")
    if not np.isfinite(labels).all():
        raise TrainingError(f"{family}: training labels hold NaN or infinite values; expected numbers")
    if labels.min() == labels.max():
        kind = "are all equal" if context.task is Task.REGRESSION else "hold one class only"
        raise TrainingError(f"{family}: the {len(labels)} training labels {kind}; there is nothing to learn")

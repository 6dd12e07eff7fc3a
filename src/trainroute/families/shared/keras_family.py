"""What the Keras families share: their library, the training schedule, a fitted network and its files."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.config.keras_backend import keras_backend
from trainroute.errors import TrainingError
from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import MIN_VALIDATION_ROWS
from trainroute.families.shared.network_settings import check_sizes, schedule
from trainroute.networks.keras_dense import DenseArchitecture, Network, forward, read_weights, write_weights
from trainroute.networks.keras_loss import Block, Kind
from trainroute.networks.keras_training import Examples, train
from trainroute.networks.keras_variational import VariationalArchitecture
from trainroute.networks.scaling import FeatureScaling, LabelScaling, feature_scaling, label_scaling
from trainroute.records.vocabulary import Stage, Task

SCHEDULE: Mapping[str, Hyperparameter] = MappingProxyType(
    {
        "learning_rate": 0.003,
        "weight_decay": 0.01,
        "batch_rows": 256,
        "batches_per_epoch": 100,
        "epochs": 40,
        "patience": 5,
        "epochs_without_validation": 12,
    }
)
"""Hyperparameters of every Keras family's training; see `trainroute.networks.schedule.Schedule`."""

_USUAL_EPOCHS = 10
_DESCRIPTION, _WEIGHTS = "network.json", "weights.npz"


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a network is asked, and how features and labels become what it sees.

    Attributes
    ----------
    task : Task
    n_classes : int
        As in `FitContext`.
    features : FeatureScaling
    labels : LabelScaling or None
        For a regression.
    """

    task: Task
    n_classes: int
    features: FeatureScaling
    labels: LabelScaling | None

    @classmethod
    def of(cls, train: TrainingRows, context: FitContext) -> "Question":
        """Measure the training rows."""
        return cls(
            task=context.task,
            n_classes=context.n_classes,
            features=feature_scaling(train.features),
            labels=label_scaling(train.labels) if context.task is Task.REGRESSION else None,
        )

    @property
    def block(self) -> Block:
        """The outputs that answer it."""
        return answer_block(self.task, self.n_classes)

    def examples(self, rows: TrainingRows, *others: NDArray[np.float32]) -> Examples:
        """Return inputs, and the own label beside ``others``, further label columns."""
        own = rows.labels if self.labels is None else self.labels.scaled(rows.labels)
        labels = np.concatenate([own[:, None], *others], axis=1).astype(np.float32)
        return Examples(self.features.inputs(rows.features), labels)

    def validation(self, rows: TrainingRows, n_others: int = 0) -> Examples | None:
        """Return validation rows that know their own label only, so that it alone decides when to stop.

        None where there are too few of them.
        """
        if len(rows) < MIN_VALIDATION_ROWS:
            return None
        return self.examples(rows, np.full((len(rows), n_others), np.nan, dtype=np.float32))

    def values(self, rows: Rows) -> NDArray[np.float32]:
        """Return the values among a row's inputs, for a network that learns to make them.

        Returns
        -------
        ndarray of shape (n_rows, n_values), float32
            Standardised values of the features that vary, NaN where missing.

        Raises
        ------
        TrainingError
            If no feature varies but by being missing.
        """
        numbers = list(self.features.values)
        if not numbers:
            raise TrainingError("no feature varies but by being missing; there are no values to learn")
        inputs = self.features.inputs(rows.features)[:, : len(numbers)]
        return np.where(np.isnan(rows.features[:, numbers]), np.float32(np.nan), inputs)

    def predictions(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Turn a network's outputs into predictions; see `FittedModel.predict`."""
        from scipy.special import expit, softmax  # noqa: PLC0415 - heavy library

        found = outputs.astype(np.float64)
        if self.task is Task.MULTICLASS:
            return np.asarray(softmax(found, axis=1), dtype=np.float64)
        if self.labels is None:
            return np.asarray(expit(found[:, 0]), dtype=np.float64)
        return self.labels.unscaled(found[:, 0])


class KerasModel(FittedModel):
    """A fitted Keras network."""

    def __init__(
        self,
        question: Question,
        architecture: DenseArchitecture | VariationalArchitecture,
        network: Network,
        fit: Mapping[str, float | int | str],
    ) -> None:
        self.question = question
        self.architecture = architecture
        self.network = network
        self._fit = dict(fit)

    @property
    def files(self) -> tuple[str, ...]:
        """The architecture and scaling as JSON, the weights as NumPy's npz."""
        return (_DESCRIPTION, _WEIGHTS)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """Epochs done and kept, the validation loss, the backend of the fit, and what the family adds."""
        return self._fit

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:  # noqa: ARG002 - see `forward`
        """Predict probabilities or values, on one thread; see `FittedModel.predict`."""
        inputs = self.question.features.inputs(rows.features)
        return self.question.predictions(forward(self.network.predictor, inputs))

    def save(self, folder: Path) -> None:
        """Write the description and the weights."""
        description = _Description(question=self.question, architecture=self.architecture, fit=self._fit)
        (folder / _DESCRIPTION).write_bytes(msgspec.json.encode(description))
        write_weights(self.network.model, folder / _WEIGHTS)


def load_keras_model(folder: Path) -> KerasModel:
    """Build the network that a description names, and give it the saved weights."""
    found = msgspec.json.decode((folder / _DESCRIPTION).read_bytes(), type=_Description)
    network = found.architecture.build()
    read_weights(network.model, folder / _WEIGHTS)
    return KerasModel(found.question, found.architecture, network, found.fit)


class KerasFamily(Family):
    """A family whose networks Keras 3 builds and trains, on TensorFlow where it is installed, else on Torch."""

    stage: ClassVar[Stage] = Stage.GPU
    gpu_library: ClassVar[str | None] = "keras"
    requires: ClassVar[tuple[str, ...]] = ("keras", "torch")
    extra: ClassVar[str | None] = "keras"
    min_rows: ClassVar[int] = 300
    seconds_per_step: ClassVar[float]
    """What a training step costs before it computes anything: Keras itself."""

    @classmethod
    def estimate_seconds(cls, n_rows: int, n_features: int = 100) -> float:
        """Return the planner's estimate; see `Family.estimate_seconds`. Steps per epoch have an upper limit."""
        most, rows_per_step = (int(SCHEDULE[key] or 0) for key in ("batches_per_epoch", "batch_rows"))
        n_steps = _USUAL_EPOCHS * min(most, -(-n_rows // rows_per_step))
        return round(super().estimate_seconds(n_rows, n_features) + n_steps * cls.seconds_per_step, 3)

    @classmethod
    def missing_libraries(cls) -> tuple[str, ...]:
        """Return what is not installed of Keras and the library that it would compute with."""
        return tuple(module for module in ("keras", keras_backend()) if find_spec(module) is None)

    @classmethod
    def install_hint(cls) -> str:
        """Return how to install what is missing; a backend that the user has chosen is the user's to install."""
        backend = keras_backend()
        if cls.missing_libraries() == (backend,) and backend not in cls.requires:
            return f"pip install {backend}, or unset KERAS_BACKEND"
        return super().install_hint()

    @classmethod
    def resolve(cls, overrides: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Merge overrides into the defaults; see `Family.resolve`. Sizes must be possible ones."""
        settings = super().resolve(overrides)
        check_sizes(cls.name, settings)
        return settings

    def load(self, folder: Path) -> FittedModel:
        """Read back the description and the weights."""
        return load_keras_model(folder)


def answer_block(task: Task, n_classes: int = 2, weight: float = 1.0) -> Block:
    """Return the outputs that a target of a task needs."""
    if task is Task.MULTICLASS:
        return Block(kind=Kind.CLASSES, size=n_classes, weight=weight)
    return Block(kind=Kind.BINARY if task is Task.BINARY else Kind.VALUES, size=1, weight=weight)


def trunk(context: FitContext, n_inputs: int, heads: tuple[int, ...], head_width: int = 0) -> DenseArchitecture:
    """Read the hyperparameters ``layers``, ``width`` and ``dropout``."""
    return DenseArchitecture(
        n_inputs=n_inputs,
        layers=context.integer("layers"),
        width=context.integer("width"),
        dropout=context.number("dropout"),
        heads=heads,
        head_width=head_width,
    )


def train_network(
    network: Network, blocks: Sequence[Block], examples: Examples, validation: Examples | None, context: FitContext
) -> dict[str, float | int | str]:
    """Train by the hyperparameters of `SCHEDULE`, and return what every Keras fit settles on."""
    training = train(
        network.model,
        blocks,
        examples,
        validation,
        schedule=schedule(context),
        seed=context.seed,
        threads=context.threads,
    )
    return {**training.details, "backend": keras_backend()}


class _Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    question: Question
    architecture: DenseArchitecture | VariationalArchitecture
    fit: dict[str, float | int | str]

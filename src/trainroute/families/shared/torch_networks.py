"""What the six PyTorch families share: from rows to a trained network, to predictions, to files and back.

Each family gives its network; `trainroute.networks` scales the inputs, builds the sequences and trains.
"""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trainroute.errors import ConfigError
from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import MIN_VALIDATION_ROWS
from trainroute.families.shared.network_settings import check_sizes, schedule
from trainroute.networks.scaling import FeatureScaling, LabelScaling, feature_scaling, label_scaling
from trainroute.networks.sequences import run_starts
from trainroute.records.vocabulary import Stage, Task

if TYPE_CHECKING:
    from torch import nn

    from trainroute.networks.batches import Batches
    from trainroute.networks.schedule import Training

_WEIGHTS, _DESCRIPTION = "weights.safetensors", "network.json"

TRAINING_HYPERPARAMETERS: Mapping[str, Hyperparameter] = {
    "epochs": 25,
    "patience": 4,
    "epochs_without_validation": 6,
    "batch_rows": 256,
    "batches_per_epoch": 60,
    "learning_rate": 0.003,
    "weight_decay": 0.01,
    "dropout": 0.1,
}
"""What every network's training needs; see `trainroute.networks.schedule.Schedule`."""
SEQUENCE_HYPERPARAMETERS: Mapping[str, Hyperparameter] = {"sequence_length": 16, "max_gap": 5}
"""Rows of a sequence, and the longest step between two of them, in timestamps of the panel."""
_ROWS_OF_A_FULL_EPOCH = 15_360


class Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a model but its weights; written to JSON as it stands."""

    task: Task
    n_classes: int
    hyperparameters: dict[str, Hyperparameter]
    features: FeatureScaling
    labels: LabelScaling | None
    details: dict[str, float | int | str]


class NetworkModel(FittedModel):
    """A trained network with the scaling of its inputs."""

    def __init__(self, description: Description, network: "nn.Module", *, sequences: bool) -> None:
        self.description = description
        self.network = network
        self.sequences = sequences

    @property
    def files(self) -> tuple[str, ...]:
        """The weights as safetensors, all else as JSON."""
        return (_WEIGHTS, _DESCRIPTION)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """Epochs done and kept, the validation loss, the number of weights, the device."""
        return self.description.details

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:  # noqa: ARG002 - see below
        """Predict rows; see `FittedModel.predict`.

        One thread is used whatever is allowed: on more, kernels part a batch otherwise and round otherwise.
        """
        from trainroute.networks.device import torch_device, torch_threads  # noqa: PLC0415 - heavy library
        from trainroute.networks.heads import head_of  # noqa: PLC0415 - heavy library
        from trainroute.networks.training import predict  # noqa: PLC0415 - heavy library

        head = head_of(self.description.task, self.description.n_classes)
        with torch_threads(1):
            prediction = predict(self.network.to(torch_device()), self.batches(rows), head)
        labels = self.description.labels
        return prediction if labels is None else labels.unscaled(prediction)

    def batches(self, rows: Rows) -> "Batches":
        """Scale rows and make them ready to be gathered."""
        from trainroute.networks.batches import RowBatches, SequenceBatches  # noqa: PLC0415 - heavy library
        from trainroute.networks.device import torch_device  # noqa: PLC0415 - heavy library

        inputs = self.description.features.inputs(rows.features)
        if not self.sequences:
            return RowBatches(inputs, torch_device())
        settings = self.description.hyperparameters
        starts = run_starts(rows.symbol, rows.time, max_gap=int(settings["max_gap"] or 0))
        return SequenceBatches(inputs, starts, length=int(settings["sequence_length"] or 0), device=torch_device())

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors and the description as JSON."""
        from safetensors.torch import save_file  # noqa: PLC0415 - heavy library

        save_file({name: weight.cpu() for name, weight in self.network.state_dict().items()}, folder / _WEIGHTS)
        (folder / _DESCRIPTION).write_bytes(msgspec.json.encode(self.description))


class NetworkFamily(Family):
    """A family whose model is one PyTorch network. It reads sequences where it reads history, else single rows."""

    stage: ClassVar[Stage] = Stage.GPU
    min_rows: ClassVar[int] = 400
    gpu_library: ClassVar[str | None] = "torch"
    requires: ClassVar[tuple[str, ...]] = ("torch", "safetensors")
    extra: ClassVar[str | None] = "torch"

    @classmethod
    def resolve(cls, overrides: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Merge overrides into the defaults; see `Family.resolve`. Sizes must be possible ones."""
        settings = super().resolve(overrides)
        check_sizes(cls.name, settings)
        if "heads" in settings and int(settings["width"] or 0) % int(settings["heads"] or 1):
            where, heads = f"training.families.{cls.name}.hyperparameters.width", settings["heads"]
            raise ConfigError(f"{where}: expected a multiple of heads ({heads}), got {settings['width']}")
        return settings

    @classmethod
    def estimate_seconds(cls, n_rows: int, n_features: int = 100) -> float:
        """Return the planner's estimate; see `Family.estimate_seconds`.

        Beyond a full epoch more rows cost no more. Of a network over sequences the first layer alone reads the
        features, so that their number hardly matters.
        """
        rows = min(n_rows, _ROWS_OF_A_FULL_EPOCH)
        return super().estimate_seconds(rows) if cls.reads_history else super().estimate_seconds(rows, n_features)

    @abstractmethod
    def _network(self, features: FeatureScaling, n_outputs: int, context: FitContext) -> "nn.Module":
        """Build the network with fresh weights."""

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        from trainroute.networks.device import reproducible, torch_device, torch_threads  # noqa: PLC0415 - heavy library

        description = Description(
            task=context.task,
            n_classes=context.n_classes,
            hyperparameters=dict(context.hyperparameters),
            features=feature_scaling(train.features),
            labels=label_scaling(train.labels) if context.task is Task.REGRESSION else None,
            details={},
        )
        with torch_threads(context.threads), reproducible(context.seed):
            model = self._model(description)
            model.network.to(torch_device())
            training = _train(model, train, validation, context)
        weights = sum(parameter.numel() for parameter in model.network.parameters())
        details = {**training.details, "weights": weights, "device": torch_device().type}
        model.description = msgspec.structs.replace(description, details=details)
        return model

    def load(self, folder: Path) -> FittedModel:
        """Read back the description and the weights."""
        from safetensors.torch import load_file  # noqa: PLC0415 - heavy library

        model = self._model(msgspec.json.decode((folder / _DESCRIPTION).read_bytes(), type=Description))
        model.network.load_state_dict(load_file(folder / _WEIGHTS))
        return model

    def _model(self, description: Description) -> NetworkModel:
        from trainroute.networks.heads import head_of  # noqa: PLC0415 - heavy library

        context = FitContext(
            task=description.task,
            n_classes=description.n_classes,
            seed=0,
            threads=1,
            hyperparameters=description.hyperparameters,
        )
        n_outputs = head_of(description.task, description.n_classes).n_outputs
        network = self._network(description.features, n_outputs, context)
        return NetworkModel(description, network, sequences=self.reads_history)


def _train(model: NetworkModel, train: TrainingRows, validation: TrainingRows, context: FitContext) -> "Training":
    from trainroute.networks.heads import head_of  # noqa: PLC0415 - heavy library
    from trainroute.networks.training import Examples  # noqa: PLC0415 - heavy library
    from trainroute.networks.training import train as train_network  # noqa: PLC0415 - heavy library

    def examples(rows: TrainingRows) -> Examples:
        scaling = model.description.labels
        return Examples(model.batches(rows), rows.labels if scaling is None else scaling.scaled(rows.labels))

    enough = np.count_nonzero(np.isfinite(validation.labels)) >= MIN_VALIDATION_ROWS
    return train_network(
        model.network,
        examples(train),
        examples(validation) if enough else None,
        head=head_of(context.task, context.n_classes),
        schedule=schedule(context),
        seed=context.seed,
    )

"""How long and in what steps a network trains, and how that went; whichever library trains it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and in what steps a network trains.

    Attributes
    ----------
    epochs : int
        The most epochs.
    patience : int
        Epochs without a better validation loss after which training stops.
    epochs_without_validation : int
        Epochs where no validation rows are given.
    batch_rows, batches_per_epoch : int
        The most rows of a batch, and batches of an epoch. Where that is too few for all rows, the PyTorch loop leaves
        rows for later epochs, and the Keras loop makes batches larger.
    learning_rate, weight_decay : float
        Of AdamW (Loshchilov and Hutter 2019).
    """

    epochs: int
    patience: int
    epochs_without_validation: int
    batch_rows: int
    batches_per_epoch: int
    learning_rate: float
    weight_decay: float

    @property
    def rows_of_epoch(self) -> int:
        """The rows that make as many full batches as an epoch may have."""
        return self.batch_rows * self.batches_per_epoch


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a training went: epochs done, the one whose weights were kept, and their validation loss, if any."""

    epochs: int
    best_epoch: int
    validation_loss: float | None

    @property
    def details(self) -> dict[str, float | int | str]:
        """The same for a model's details; see `trainroute.families.base.FittedModel.details`."""
        details: dict[str, float | int | str] = {"epochs": self.epochs, "best_epoch": self.best_epoch}
        if self.validation_loss is not None:
            details["validation_loss"] = self.validation_loss
        return details

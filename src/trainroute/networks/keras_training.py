"""The training loop of the Keras networks: shuffled batches, early stopping, the best weights kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainroute.errors import ModelError
from trainroute.networks.keras_backend import keras_threads, load_keras
from trainroute.networks.keras_dense import set_weights, weights_of
from trainroute.networks.keras_loss import Block, masked_loss
from trainroute.networks.schedule import Schedule, Training

if TYPE_CHECKING:
    from keras import Model

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Examples:
    """Rows as a network sees them.

    Attributes
    ----------
    inputs : ndarray of shape (n_rows, n_inputs), float32
    labels : ndarray of shape (n_rows, n_labels), float32
        The label columns of the blocks, side by side; NaN where a label is unknown.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.inputs)


def train(
    model: "Model",
    blocks: Sequence[Block],
    examples: Examples,
    validation: Examples | None,
    *,
    schedule: Schedule,
    seed: int,
    threads: int,
) -> Training:
    """Train, and leave the model with the weights of its best epoch.

    Without validation rows all of ``epochs_without_validation`` are done, and the last weights kept.

    Raises
    ------
    ModelError
        If the loss is not a number.
    """
    keras = load_keras()
    optimizer = keras.optimizers.AdamW(schedule.learning_rate, weight_decay=schedule.weight_decay)
    model.compile(optimizer=optimizer, loss=masked_loss(blocks), jit_compile=False)
    rng = np.random.default_rng(seed)
    most = schedule.epochs if validation else schedule.epochs_without_validation
    best_epoch, best_loss, best_weights, epoch = 0, np.inf, weights_of(model), 0
    with keras_threads(threads):
        while epoch < most and (validation is None or epoch - best_epoch < schedule.patience):
            epoch += 1
            loss = 0.0
            for batch in batches(len(examples), schedule, rng):
                loss += float(model.train_on_batch(examples.inputs[batch], examples.labels[batch]))
            loss = _loss(model, validation) if validation else loss
            if not np.isfinite(loss):
                raise ModelError(f"the loss is {loss} in epoch {epoch}; expected a number: lower learning_rate")
            if validation is None or loss < best_loss:
                best_epoch, best_loss, best_weights = epoch, loss, weights_of(model)
    set_weights(model, best_weights)
    return Training(epochs=epoch, best_epoch=best_epoch, validation_loss=best_loss if validation else None)


def batches(n_rows: int, schedule: Schedule, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of the rows of each step of an epoch: each row once, in random order, in like parts."""
    rows_per_step = max(schedule.batch_rows, -(-n_rows // schedule.batches_per_epoch))
    yield from np.array_split(rng.permutation(n_rows), -(-n_rows // rows_per_step))


def _loss(model: "Model", examples: Examples) -> float:
    total = 0.0
    for start in range(0, len(examples), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        inputs = examples.inputs[part]
        total += float(model.test_on_batch(inputs, examples.labels[part])) * len(inputs)
    return total / len(examples)

"""The training loop of every PyTorch family, and prediction in batches of one size.

1. An epoch shuffles the labelled rows with the seed's own generator, takes as many as make at most
   ``batches_per_epoch`` batches, and splits them into batches of equal size.
2. Each batch is one step of AdamW with the gradient's norm clipped.
3. After each epoch the loss on the validation rows is measured: on no more of them than an epoch takes, evenly
   spread. The best weights are kept; when ``patience`` epochs have brought no better ones, training stops and goes
   back to them.
4. Without validation rows a fixed, small number of epochs is done.

References
----------
Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019 (AdamW).
Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013 (clipping).
Prechelt, "Early Stopping - But When?", 1998.
"""

import math
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainroute.errors import ModelError
from trainroute.networks.batches import Batches
from trainroute.networks.heads import Head
from trainroute.networks.schedule import Schedule, Training

ROWS_OF_A_PREDICTION = 512
"""Every prediction is computed in a batch of exactly so many rows: kernels round differently for other sizes."""
_LARGEST_GRADIENT = 1.0


class Examples:
    """The labelled ones among some rows.

    Parameters
    ----------
    batches : Batches
    labels : ndarray of shape (n_rows,), float32
        NaN for a row that is only context of others.
    """

    def __init__(self, batches: Batches, labels: NDArray[np.float32]) -> None:
        known = np.flatnonzero(np.isfinite(labels))
        self._batches = batches
        self._labels = torch.from_numpy(labels)
        self.rows = torch.from_numpy(known)
        self.device = batches.device

    def __len__(self) -> int:
        return len(self.rows)

    def spread(self, most: int) -> Tensor:
        """Return the numbers of all rows, or of so many of them, evenly spread, where there are more."""
        count = min(most, len(self))
        return self.rows[torch.arange(count) * len(self) // max(count, 1)]

    def take(self, rows: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the network's arguments and the labels of some rows."""
        return self._batches.take(rows), self._labels[rows].to(self.device)


def train(
    network: nn.Module, examples: Examples, validation: Examples | None, *, head: Head, schedule: Schedule, seed: int
) -> Training:
    """Train a network in place; see the module's docstring for the steps.

    Raises
    ------
    ModelError
        If the loss stops being a number.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    shuffle = torch.Generator().manual_seed(seed)
    if validation is None:
        for _ in range(schedule.epochs_without_validation):
            _epoch(network, examples, head, optimiser, shuffle, schedule)
        done = schedule.epochs_without_validation
        return Training(epochs=done, best_epoch=done, validation_loss=None)
    validation_rows = validation.spread(schedule.rows_of_epoch)
    best_epoch, best_loss, best_weights = 0, math.inf, deepcopy(network.state_dict())
    epoch = 0
    while epoch < schedule.epochs and epoch - best_epoch < schedule.patience:
        epoch += 1
        _epoch(network, examples, head, optimiser, shuffle, schedule)
        loss = _mean_loss(network, validation, validation_rows, head)
        if loss < best_loss:
            best_epoch, best_loss, best_weights = epoch, loss, deepcopy(network.state_dict())
    network.load_state_dict(best_weights)
    return Training(epochs=epoch, best_epoch=best_epoch, validation_loss=best_loss)


def _epoch(
    network: nn.Module,
    examples: Examples,
    head: Head,
    optimiser: torch.optim.Optimizer,
    shuffle: torch.Generator,
    schedule: Schedule,
) -> None:
    network.train()
    total = torch.zeros((), device=examples.device)
    order = torch.randperm(len(examples), generator=shuffle)[: schedule.rows_of_epoch]
    for rows in examples.rows[order].tensor_split(math.ceil(len(order) / schedule.batch_rows)):
        arguments, labels = examples.take(rows)
        optimiser.zero_grad()
        loss = head.loss(network(*arguments), labels)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimiser.step()
        total += loss.detach()
    _check_loss(float(total))


def _mean_loss(network: nn.Module, examples: Examples, rows: Tensor, head: Head) -> float:
    network.eval()
    total = 0.0
    with torch.inference_mode():
        for part in rows.tensor_split(math.ceil(len(rows) / ROWS_OF_A_PREDICTION)):
            arguments, labels = examples.take(part)
            total += float(head.loss(network(*arguments), labels)) * len(part)
    _check_loss(total)
    return total / len(rows)


def _check_loss(loss: float) -> None:
    if not math.isfinite(loss):
        raise ModelError(f"the loss of the network has become {loss}; lower the hyperparameter learning_rate")


def predict(network: nn.Module, batches: Batches, head: Head) -> NDArray[np.float64]:
    """Predict every row.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_classes)
        A row's prediction is the same, bit for bit, whatever other rows are predicted with it.
    """
    network.eval()
    n_rows = len(batches)
    predictions = [head.prediction(torch.empty(0, head.n_outputs, dtype=torch.float64))]
    with torch.inference_mode():
        for start in range(0, n_rows, ROWS_OF_A_PREDICTION):
            rows = torch.arange(start, start + ROWS_OF_A_PREDICTION).clamp(max=n_rows - 1)
            predictions.append(head.prediction(network(*batches.take(rows)).double()).cpu())
    return np.asarray(torch.cat(predictions)[:n_rows].numpy(), dtype=np.float64)

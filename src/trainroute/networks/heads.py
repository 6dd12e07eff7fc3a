"""What the outputs of a network mean: one head for each task."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from trainroute.records.vocabulary import Task


@dataclass(frozen=True, kw_only=True)
class Head:
    """How many outputs a task needs, what they are trained for, and what they predict.

    Attributes
    ----------
    n_outputs : int
    loss : callable
        The mean loss of outputs (n_rows, n_outputs) under labels (n_rows,).
    prediction : callable
        Outputs to probabilities or values, shape (n_rows,) or (n_rows, n_classes).
    """

    n_outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    prediction: Callable[[Tensor], Tensor]


def head_of(task: Task, n_classes: int) -> Head:
    """Return log-odds with cross-entropy for classes, a value with squared error for a regression."""
    if task is Task.BINARY:
        return Head(n_outputs=1, loss=_binary_loss, prediction=_probability)
    if task is Task.MULTICLASS:
        return Head(n_outputs=n_classes, loss=_class_loss, prediction=_class_probabilities)
    return Head(n_outputs=1, loss=_squared_error, prediction=_value)


def _binary_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(outputs[:, 0], labels)


def _class_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, labels.long())


def _squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.mse_loss(outputs[:, 0], labels)


def _probability(outputs: Tensor) -> Tensor:
    return torch.sigmoid(outputs[:, 0])


def _class_probabilities(outputs: Tensor) -> Tensor:
    return torch.softmax(outputs, dim=1)


def _value(outputs: Tensor) -> Tensor:
    return outputs[:, 0]

"""What stacking needs: folds that only the past has taught, and a meta learner that mixes predictions.

References
----------
Ting & Witten, "Issues in Stacked Generalization", Journal of Artificial Intelligence Research 10, 1999.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import FitContext, TrainingRows
from trainroute.records.vocabulary import Task

MIN_BASE_ROWS = 100
"""Base learners of fewer rows say nothing about those of all rows."""
MIN_META_ROWS = 50
"""Fewer predictions do not teach a meta learner; the base learners then get equal weights."""
_SMALLEST = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""
_SMALLEST_WEIGHT = 1e-6
"""A weight of exactly 0 everywhere would leave no order among the rows."""

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def purged_folds(
    time: NDArray[np.int32], usable_from: NDArray[np.int32], n_folds: int
) -> Iterator[tuple[Index, Index]]:
    """Cut rows into ``n_folds + 1`` blocks of equal numbers of timestamps; each but the first is one fold.

    Parameters
    ----------
    time, usable_from : ndarray of shape (n_rows,)
        As in `TrainingRows`, in any order.
    n_folds : int
        Fewer are made where there are not as many timestamps.

    Yields
    ------
    known, asked : ndarray of int
        The rows that may teach, ``usable_from <= start`` of the block, and the rows of the block.
    """
    times = np.unique(time)
    starts = np.unique(times[np.arange(n_folds + 1) * len(times) // (n_folds + 1)])
    ends = np.append(starts[1:], times[-1] + 1)
    for start, end in zip(starts[1:], ends[1:], strict=True):
        yield np.flatnonzero(usable_from <= start), np.flatnonzero((time >= start) & (time < end))


def taken(rows: TrainingRows, index: Index) -> TrainingRows:
    """Return some of the rows; siblings' labels are left out."""
    return replace(
        rows,
        features=rows.features[index],
        symbol=rows.symbol[index],
        time=rows.time[index],
        labels=rows.labels[index],
        usable_from=None if rows.usable_from is None else rows.usable_from[index],
        siblings=None,
    )


@dataclass(frozen=True, kw_only=True)
class Meta:
    """A mixture ``a·u + b`` of base learners' predictions ``u``.

    Values are mixed as they are; for two classes their log-odds; for more the logarithms of their probabilities, with
    the same weight of a learner for every class.

    Attributes
    ----------
    task : Task
    weights : ndarray of shape (n_members,), float64
        ``a``; not negative.
    intercept : ndarray of shape (n_outputs,), float64
        ``b``; one output for regression and binary targets, one per class for multiclass.
    """

    task: Task
    weights: Array
    intercept: Array

    def predict(self, predicted: Array) -> Array:
        """Mix predictions, stacked along the first axis; see `FittedModel.predict` for what is returned."""
        from scipy.special import expit, softmax  # noqa: PLC0415 - heavy library

        # einsum, unlike BLAS, adds up a row in the same order however many rows there are.
        output = np.einsum("m,mij->ij", self.weights, _inputs(predicted, self.task)) + self.intercept
        if self.task is Task.MULTICLASS:
            return np.asarray(softmax(output, axis=1), dtype=np.float64)
        return np.asarray(expit(output[:, 0]) if self.task is Task.BINARY else output[:, 0], dtype=np.float64)


def fit_meta(predicted: Array, labels: NDArray[np.float32], context: FitContext, *, penalty: float) -> Meta:
    """Minimise the mean loss (squared in standard deviations, or logistic) plus a penalty, with weights of at least 0.

    Parameters
    ----------
    predicted : ndarray of shape (n_members, n_rows) or (n_members, n_rows, n_classes)
        What the base learners predict of rows that they have not learnt from.
    labels : ndarray of shape (n_rows,)
    context : FitContext
    penalty : float
        Half of it times the squared distance of ``a`` from equal weights is added to the loss.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - heavy library

    n_members = len(predicted)
    n_outputs = context.n_classes if context.task is Task.MULTICLASS else 1
    equal = np.full(n_members, 1.0 / n_members)
    if len(labels) < MIN_META_ROWS or labels.min() == labels.max():
        return Meta(task=context.task, weights=equal, intercept=np.zeros(n_outputs))
    inputs, y = _inputs(predicted, context.task), labels.astype(np.float64)[:, None]
    centre, scale = 0.0, 1.0
    if context.task is Task.REGRESSION:
        centre, scale = float(y.mean()), float(y.std())
        inputs, y = (inputs - centre) / scale, (y - centre) / scale
    elif context.task is Task.MULTICLASS:
        y = (y == np.arange(n_outputs)).astype(np.float64)
    found = minimize(
        _loss,
        np.concatenate([equal, np.zeros(n_outputs)]),
        args=(inputs, y, context.task, penalty),
        jac=True,
        method="L-BFGS-B",
        bounds=[(_SMALLEST_WEIGHT, None)] * n_members + [(None, None)] * n_outputs,
    ).x
    weights, intercept = found[:n_members], found[n_members:]
    # In the labels' own units: centre + scale·(a·(u − centre)/scale + b).
    return Meta(task=context.task, weights=weights, intercept=scale * intercept + centre * (1.0 - weights.sum()))


def _loss(parameters: Array, inputs: Array, y: Array, task: Task, penalty: float) -> tuple[float, Array]:
    """Return the penalised mean loss and its gradient; ``inputs`` has shape (n_members, n_rows, n_outputs)."""
    from scipy.special import expit, softmax  # noqa: PLC0415 - heavy library

    weights, intercept = parameters[: len(inputs)], parameters[len(inputs) :]
    output = np.tensordot(weights, inputs, axes=1) + intercept
    if task is Task.REGRESSION:
        expected = output
        loss = 0.5 * (output - y) ** 2
    elif task is Task.BINARY:
        expected = expit(output)
        loss = np.logaddexp(0.0, output) - y * output
    else:
        expected = softmax(output, axis=1)
        highest = output.max(axis=1, keepdims=True)
        loss = (highest + np.log(np.exp(output - highest).sum(axis=1, keepdims=True)) - output) * y
    error = (expected - y) / len(y)
    apart = weights - 1.0 / len(weights)
    gradient = np.concatenate([np.tensordot(inputs, error, axes=2) + penalty * apart, error.sum(axis=0)])
    return float(loss.sum() / len(y) + 0.5 * penalty * (apart**2).sum()), gradient


def _inputs(predicted: Array, task: Task) -> Array:
    """Return what the meta learner mixes, shape (n_members, n_rows, n_outputs)."""
    if task is Task.REGRESSION:
        return predicted[:, :, None]
    probability = np.clip(predicted, _SMALLEST, 1.0 - _SMALLEST)
    if task is Task.MULTICLASS:
        return np.asarray(np.log(probability), dtype=np.float64)
    return np.asarray(np.log(probability / (1.0 - probability)), dtype=np.float64)[:, :, None]

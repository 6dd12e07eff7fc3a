"""FTRLProximal: follow the regularised leader, a linear model that learns row by row in the order of time.

1. Rows are sorted by time, those of one time by symbol, and standardised by the training rows (`FTRLProximal._fit`).
2. For each row, weights follow from the sums so far; the row's gradient at them goes into the sums (`Learner.learn`).
3. Validation rows are rows of the stream, the most recent ones: every row is read once, so there is nothing to stop.

With ``g`` the gradients of a coordinate so far, ``n = Σ g²`` and ``z = Σ g − Σ σ w`` with
``σ = (√n − √(n − g²)) / α``, its weight is 0 where ``|z| ≤ λ₁``, else
``−(z − sign(z)·λ₁) / ((β + √n) / α + λ₂)``. Classes are learnt by the logistic loss, several of them one against the
rest; values, standardised, by the squared loss. The intercept is a feature that is always 1.

References
----------
McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013, algorithm 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import Family, FitContext, FittedModel, Hyperparameter, Rows, TrainingRows
from trainroute.families.shared.boosters import joined
from trainroute.families.shared.linear_scores import LinearScores, load_scores
from trainroute.families.shared.ranges import check_numbers
from trainroute.families.shared.scaling import column_statistics, standardised
from trainroute.records.vocabulary import Stage, Task

_FILE = "ftrl.npz"
_CHUNK = 4096
"""Rows that are standardised at once."""

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The four numbers of the method, with the paper's letters."""

    alpha: float
    beta: float
    l1: float
    l2: float


class Learner:
    """The sums of one or more linear models that learn from the same rows.

    Attributes
    ----------
    z, n : ndarray of shape (n_outputs, n_coordinates), float64
        As in the module's docstring.
    """

    def __init__(self, n_outputs: int, n_coordinates: int, rates: Rates) -> None:
        self.z: Array = np.zeros((n_outputs, n_coordinates))
        self.n: Array = np.zeros((n_outputs, n_coordinates))
        self.rates = rates

    def weights(self) -> Array:
        """Return the weights after the rows so far, shape (n_outputs, n_coordinates)."""
        return self._weights(np.sqrt(self.n))

    def learn(self, X: Array, y: Array, mean: Callable[[Array], Array]) -> None:
        """Learn from rows, one after the other.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_coordinates)
        y : ndarray of shape (n_rows, n_outputs)
        mean : callable
            From the linear output to the expected label; its gradient is then ``(mean(w·x) − y)·x``.
        """
        root = np.sqrt(self.n)
        for x, label in zip(X, y, strict=True):
            weights = self._weights(root)
            gradient = np.multiply.outer(mean(weights @ x) - label, x)
            self.n += gradient * gradient
            grown = np.sqrt(self.n)
            self.z += gradient - (grown - root) / self.rates.alpha * weights
            root = grown

    def _weights(self, root: Array) -> Array:
        rates = self.rates
        beyond = self.z - np.clip(self.z, -rates.l1, rates.l1)
        return np.asarray(-beyond / ((rates.beta + root) / rates.alpha + rates.l2), dtype=np.float64)


class FTRLModel(FittedModel):
    """The weights after the last row.

    Attributes
    ----------
    scores : LinearScores
        One output for regression and binary targets, one per class for multiclass.
    task : Task
    """

    def __init__(self, scores: LinearScores, task: Task) -> None:
        self.scores = scores
        self.task = task

    @property
    def files(self) -> tuple[str, ...]:
        """The arrays."""
        return (_FILE,)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        """How many weights are not zero, intercepts left out."""
        return {"weights_not_zero": int(np.count_nonzero(self.scores.weights[:, :-1]))}

    def predict(self, rows: Rows, *, threads: int = 1) -> Array:
        """Predict by the linear models; see `FittedModel.predict`."""
        del threads  # one product of a matrix and a vector
        output = self.scores.of(rows.features)
        if self.task is Task.REGRESSION:
            return self.scores.as_labels(output[:, 0])
        share = _logistic(output)
        return share[:, 0] if self.task is Task.BINARY else share / share.sum(axis=1, keepdims=True)

    def save(self, folder: Path) -> None:
        """Write the arrays as NumPy's npz."""
        self.scores.save(folder / _FILE, task=np.array(str(self.task)))


class FTRLProximal(Family):
    """A sparse linear model that learns row by row in the order of time."""

    name: ClassVar[str] = "FTRLProximal"
    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 200
    fixed_seconds: ClassVar[float] = 0.02
    seconds_per_million_rows: ClassVar[float] = 30.0
    hyperparameters: ClassVar[Mapping[str, Hyperparameter]] = MappingProxyType(
        {"alpha": 0.05, "beta": 1.0, "l1": 1.0, "l2": 1.0}
    )

    @classmethod
    def resolve(cls, overrides: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Merge overrides into the defaults; see `Family.resolve`.

        Raises
        ------
        ConfigError
            If ``alpha`` is not positive, or another one is negative, too.
        """
        resolved = super().resolve(overrides)
        check_numbers(cls.name, resolved, positive=("alpha",), at_least_0=("beta", "l1", "l2"))
        return resolved

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        mean, scale = column_statistics(train.features)
        n_outputs = context.n_classes if context.task is Task.MULTICLASS else 1
        start = LinearScores(mean=mean, scale=scale, weights=np.zeros((n_outputs, len(mean) + 1)))
        if context.task is Task.REGRESSION:
            start = start.in_units_of(train.labels)
        rates = Rates(**{name: context.number(name) for name in ("alpha", "beta", "l1", "l2")})
        learner = Learner(n_outputs, len(mean) + 1, rates)
        rows = joined(train, validation)
        expected = _identity if context.task is Task.REGRESSION else _logistic
        order = np.lexsort((rows.symbol, rows.time))
        for first in range(0, len(rows), _CHUNK):
            part = order[first : first + _CHUNK]
            X = standardised(rows.features[part], mean, scale)
            y = start.from_labels(rows.labels[part])[:, None]
            if context.task is Task.MULTICLASS:
                y = (y == np.arange(context.n_classes)).astype(np.float64)
            learner.learn(np.column_stack([X, np.ones(len(X))]), y, expected)
        return FTRLModel(replace(start, weights=learner.weights()), context.task)

    def load(self, folder: Path) -> FittedModel:
        """Read back the arrays."""
        scores, more = load_scores(folder / _FILE)
        return FTRLModel(scores, Task(str(more["task"])))


def _identity(output: Array) -> Array:
    return output


def _logistic(output: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * output)

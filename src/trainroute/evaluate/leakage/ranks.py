"""Ranks of a symbol's columns, and how they go together at a lag."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_EVENTS = 30


@dataclass(frozen=True)
class Ranked:
    """Centred mid-ranks per column in units of the number of known rows, 0 where missing, and what is known.

    Attributes
    ----------
    value, known : ndarray of shape (n_rows, n_columns), float32
    """

    value: NDArray[np.float32]
    known: NDArray[np.float32]

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "Ranked":
        """Rank each column of ``values``, NaN where missing."""
        from scipy.stats import rankdata  # noqa: PLC0415 - slow to import, and most commands rank nothing

        known = ~np.isnan(values)
        count = np.maximum(known.sum(0), 1)
        ranks = rankdata(np.where(known, values, np.inf), axis=0) if len(values) else values
        centred = (ranks - (count + 1) / 2) / count
        return cls(np.where(known, centred, 0.0).astype(np.float32), known.astype(np.float32))

    def columns(self, index: list[int]) -> "Ranked":
        """Return some columns."""
        return Ranked(self.value[:, index], self.known[:, index])

    def rows(self, part: slice) -> "Ranked":
        """Return some rows."""
        return Ranked(self.value[part], self.known[part])

    def unit(self) -> NDArray[np.float32]:
        """Return the ranks with unit mean square over the known rows; a constant column is 0."""
        scale = np.sqrt((self.value**2).sum(0) / np.maximum(self.known.sum(0), 1.0))
        unit: NDArray[np.float32] = np.divide(
            self.value, scale, out=np.zeros_like(self.value), where=np.broadcast_to(scale > 0, self.value.shape)
        )
        return unit


def agreement(features: Ranked, labels: Ranked, lag: int, min_rows: int) -> NDArray[np.float64]:
    """How far each f(t) orders each y(t + lag), shape (n_features, n_labels), in [-1, 1].

    The covariance of mid-ranks over the rows that have both, divided by the smaller of the two variances. Without ties
    this is Spearman's correlation; where one of them has few values it is 1 as soon as the other one separates them.
    0 below ``min_rows`` such rows, and for a column that rests on fewer than ``MIN_EVENTS`` of them.
    """
    n = len(features.value)
    f = features.rows(slice(max(0, -lag), n - max(0, lag)))
    y = labels.rows(slice(max(0, lag), n + min(0, lag)))
    count = (f.known.T @ y.known).astype(np.float64)
    safe = np.maximum(count, 1.0)
    sum_f, sum_y = f.value.T @ y.known, f.known.T @ y.value
    covariance = (f.value.T @ y.value - sum_f * sum_y / safe) / safe
    variance_f = ((f.value**2).T @ y.known - sum_f**2 / safe) / safe
    variance_y = (f.known.T @ y.value**2 - sum_y**2 / safe) / safe
    scale = np.minimum(variance_f, variance_y)
    rare = np.minimum(MIN_EVENTS / safe, 0.5)
    enough = (count >= min_rows) & (scale >= 0.25 * rare * (1 - rare))
    result: NDArray[np.float64] = np.divide(covariance, scale, out=np.zeros(count.shape), where=enough)
    return np.clip(result, -1.0, 1.0)

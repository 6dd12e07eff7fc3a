"""Ridge regression from moments: all label columns, all symbols and all penalties at a few solves.

The penalty is chosen by what it would have predicted: at each block boundary every penalty's model is compared on the
next block by the correlation of its predictions with the labels, which follows from moments alone; correlations are
added up over the blocks seen so far. Local models of a target share one penalty, chosen over all symbols together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.statistics import Floats, Moments

PENALTIES: Floats = np.array([0.003, 0.03, 0.3, 3.0, 30.0])
"""Ridge penalties in units of one feature's variance, on features scaled to unit variance."""


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Label columns that use the same features; indices."""

    features: NDArray[np.intp]
    columns: NDArray[np.intp]


def masks(allowed: NDArray[np.bool_]) -> tuple[Mask, ...]:
    """Group label columns by the features that they may use.

    Parameters
    ----------
    allowed : ndarray of shape (n_columns, n_features), bool
    """
    patterns, inverse = np.unique(allowed, axis=0, return_inverse=True)
    return tuple(
        Mask(features=np.flatnonzero(pattern), columns=np.flatnonzero(inverse.ravel() == i))
        for i, pattern in enumerate(patterns)
        if pattern.any()
    )


def ridge_path(moments: Moments, groups: tuple[Mask, ...], penalties: Floats = PENALTIES) -> Floats:
    """Solve ridge for every penalty.

    Returns
    -------
    ndarray of shape (n_penalties, k, n_features, n_columns)
        Coefficients on the scale of the moments' features; 0 for features outside a column's mask.

    References
    ----------
    Hoerl & Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems.
    """
    k, n_features, n_columns = moments.xy.shape
    path = np.zeros((len(penalties), k, n_features, n_columns))
    spread = np.sqrt(np.einsum("kff->kf", moments.xx) / np.maximum(moments.n, 1.0)[:, None])
    safe = np.where(spread > 0, spread, 1.0)
    for mask in groups:
        f, c = mask.features, mask.columns
        d = safe[:, f]
        n = np.maximum(moments.n, 1.0)[:, None, None]
        gram = _taken(moments.xx, f, f) / (d[:, :, None] * d[:, None, :] * n)
        target = _taken(moments.xy, f, c) / (d[:, :, None] * n)
        diagonal = np.einsum("kff->kf", gram)
        unpenalised = diagonal.copy()
        for i, penalty in enumerate(penalties):
            diagonal[...] = unpenalised + penalty
            path[i][:, f[:, None], c] = np.linalg.solve(gram, target) / d[:, :, None]
    return path


def _taken(products: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """Return the given rows and columns of each symbol's matrix; all of them without a copy."""
    whole = (len(rows), len(columns)) == products.shape[1:]
    return products if whole else products[:, rows[:, None], columns]


def path_correlation(path: Floats, ahead: Moments) -> Floats:
    """Correlation of each model's predictions with the labels of later rows.

    Returns
    -------
    ndarray of shape (n_penalties, k, n_columns)
        0 where predictions or labels do not vary.
    """
    covariance = np.einsum("pkfc,kfc->pkc", path, ahead.xy)
    variance = np.einsum("pkfc,pkfc->pkc", path, ahead.xx[None] @ path)
    scale = np.sqrt(np.maximum(variance, 0.0) * ahead.yy)
    correlation: Floats = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    return correlation


def merit(path: Floats, ahead: Moments) -> Floats:
    """Sum over symbols of rows times `path_correlation`, shape (n_penalties, n_columns)."""
    total: Floats = np.einsum("pkc,k->pc", path_correlation(path, ahead), ahead.n)
    return total


class PenaltyChoice:
    """The running record of how well each penalty predicted the next block, per target.

    Parameters
    ----------
    owner : ndarray of shape (n_columns,)
        Which target each label column belongs to: a target's columns share one penalty.
    """

    def __init__(self, owner: NDArray[np.intp]) -> None:
        self._owner = owner
        self._merit = np.zeros((len(PENALTIES), len(owner)))

    def observe(self, merit: Floats) -> None:
        """Add the evidence of one further block (`merit`)."""
        self._merit += merit

    def pick(self, path: Floats) -> Floats:
        """Return the chosen coefficients, shape (k, n_features, n_columns); without evidence the middle penalty."""
        by_target = np.zeros((len(PENALTIES), self._owner.max() + 1))
        np.add.at(by_target.T, self._owner, np.round(self._merit, 6).T)
        best = np.where(by_target.any(0), by_target.argmax(0), len(PENALTIES) // 2)
        chosen: Floats = np.take_along_axis(path, best[self._owner][None, None, None, :], 0)[0]
        return chosen

"""When did the relation between features and label last change? Change points of a short series of effects.

1. The history is cut into at most ``most_points`` blocks of whole dates (`effect_series`). A block's values are the
   mean label, less the symbol's own mean, and for each feature the mean of its standardised value times that label.
2. Values are divided by the noise of their series, measured within eighths of the history and widened for
   autocorrelation (`noise`), so that slow waves of the label are not taken for changes one by one.
3. The label's mean and the few features whose effect is strongest anywhere are kept (`strongest`): an effect that
   reverses cancels over all of the history, but not within its eighths.
4. The segments with the least squared distance from their means plus a penalty per change are found exactly
   (`change_times`, ruptures' ``KernelCPD`` with a linear kernel).

References
----------
Truong, Oudre, Vayatis, "Selective Review of Offline Change Point Detection Methods", Signal Processing 167, 2020.
Killick, Fearnhead, Eckley, "Optimal Detection of Changepoints with a Linear Computational Cost", JASA 107, 2012.
Yao, "Estimating the Number of Change-Points via Schwarz' Criterion", Statistics & Probability Letters 6, 1988 (the
penalty grows with the logarithm of the number of points).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.families.base import TrainingRows
from trainroute.families.shared.scaling import LARGEST, column_statistics, standardised

_ROWS_PER_POINT = 5
_PARTS = 8
_LEAST_POINTS = 40
"""Shorter series are not searched."""
_SHORTEST_SHARE = 0.05
_MOST_AUTOCORRELATION = 0.9


@dataclass(frozen=True, kw_only=True)
class EffectSeries:
    """Means over blocks of dates.

    Attributes
    ----------
    values : ndarray of shape (n_points, 1 + n_features), float64
        The mean label, then the mean of each feature times the label.
    time : ndarray of shape (n_points,), int32
        The first timestamp of each block.
    """

    values: NDArray[np.float64]
    time: NDArray[np.int32]


def change_times(rows: TrainingRows, *, most_points: int, most_features: int, penalty: float) -> tuple[int, ...]:
    """Return the first timestamps of all segments but the first, ascending.

    Parameters
    ----------
    rows : TrainingRows
        Past rows only; every label is known.
    most_points, most_features : int
        The longest series, and the most features whose effects are followed.
    penalty : float
        What a change must explain, in units of the number of series plus one, times the logarithm of the number of
        points. 1 is Schwarz' criterion; features are chosen by the same series, so a little more is right.
    """
    from ruptures import KernelCPD  # noqa: PLC0415 - heavy library

    series = effect_series(rows, most_points)
    n_points = len(series.time)
    if n_points < _LEAST_POINTS:
        return ()
    values = series.values / noise(series.values)
    chosen = values[:, strongest(values, most_features)]
    shortest = max(_LEAST_POINTS // 4, round(_SHORTEST_SHARE * n_points))
    price = penalty * (chosen.shape[1] + 1) * np.log(n_points)
    ends = KernelCPD(kernel="linear", min_size=shortest).fit(chosen).predict(pen=price)
    return tuple(int(series.time[end]) for end in ends[:-1])


def effect_series(rows: TrainingRows, most_points: int) -> EffectSeries:
    """Take means over at most ``most_points`` blocks, of equally many dates and five rows or more on average."""
    dates, date = np.unique(rows.time, return_inverse=True)
    n_points = max(1, min(most_points, len(dates), len(rows) // _ROWS_PER_POINT))
    point = date * n_points // len(dates)
    order = np.argsort(point, kind="stable")
    first = np.searchsorted(point[order], np.arange(n_points))
    label = _own_labels(rows)[order, None]
    features = standardised(rows.features[order], *column_statistics(rows.features))
    values = np.add.reduceat(np.hstack([label, features * label]), first, axis=0)
    first_date = np.searchsorted(np.arange(len(dates)) * n_points // len(dates), np.arange(n_points))
    return EffectSeries(
        values=values / np.diff(first, append=len(rows))[:, None], time=dates[first_date].astype(np.int32)
    )


def noise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the long-run standard deviation of each series, from how it varies within eighths of its length.

    For an autoregression of first order with coefficient ``r`` it is the standard deviation times
    ``sqrt((1 + r) / (1 - r))``; ``r`` is corrected for its bias in short series, about ``(1 + 4 r) / length``.
    """
    parts = [part - part.mean(axis=0) for part in np.array_split(values, _PARTS)]
    squares = sum((part**2).sum(axis=0) for part in parts)
    products = sum((part[1:] * part[:-1]).sum(axis=0) for part in parts)
    length = len(values) / _PARTS
    varies = squares > 1e-12 * np.maximum((values**2).sum(axis=0), 1e-12)
    rough = np.where(varies, products / np.where(varies, squares, 1.0), 0.0)
    coefficient = np.clip(rough + (1.0 + 4.0 * rough) / length, 0.0, _MOST_AUTOCORRELATION)
    deviation = np.sqrt(squares / (len(values) - _PARTS))
    return np.where(varies, deviation * np.sqrt((1.0 + coefficient) / (1.0 - coefficient)), 1.0)


def strongest(values: NDArray[np.float64], most_features: int) -> NDArray[np.intp]:
    """Return the label's column, 0, and those of the features whose means over eighths are farthest from zero."""
    strength = sum(len(part) * part.mean(axis=0) ** 2 for part in np.array_split(values[:, 1:], _PARTS))
    best = np.argsort(-np.asarray(strength), kind="stable")[:most_features]
    return np.concatenate([[0], 1 + np.sort(best)])


def _own_labels(rows: TrainingRows) -> NDArray[np.float64]:
    """Return labels less the mean of their symbol, in standard deviations, clipped; classes count by their number."""
    _, symbol = np.unique(rows.symbol, return_inverse=True)
    labels = rows.labels.astype(np.float64)
    labels -= (np.bincount(symbol, weights=labels) / np.bincount(symbol))[symbol]
    return np.clip(labels / (labels.std() or 1.0), -LARGEST, LARGEST)

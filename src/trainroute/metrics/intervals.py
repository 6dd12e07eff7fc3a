"""Standard errors and intervals from blocks of whole dates.

Errors of different symbols on the same dates are dependent, and labels that look h bars ahead overlap, so rows are never
counted as independent. All symbols share one set of contiguous blocks of whole dates; a score's error is judged from the
sums of its influence (``concordance.py``) over these blocks.

1. ``block_length``: at least 3 x horizon, and what the dependence of the influence series demands.
2. ``assign_time_blocks``: which block each timestamp is in.
3. ``block_totals``: sums of influence per symbol (or per whatever) and block.
4. ``standard_errors`` and ``interval``: the error of each row of totals, and a t interval around a score.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

Float = NDArray[np.float64]
MIN_BLOCKS = 15


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score's error.

    Attributes
    ----------
    se : float
        Standard error; NaN under two blocks.
    low, high : float
        Ends of the interval, in [0, 1]; NaN with fewer than ``MIN_BLOCKS`` blocks.
    n_blocks : int
        Blocks with rows.
    """

    se: float
    low: float
    high: float
    n_blocks: int


def block_totals(
    influence: ArrayLike,
    time_block: ArrayLike,
    n_time_blocks: int,
    row_of: ArrayLike | None = None,
    n_out: int = 1,
) -> Float:
    """Sum influence over blocks of dates.

    Parameters
    ----------
    influence : array-like of shape (n_rows,)
    time_block : array-like of shape (n_rows,), integer
        Block of each row's timestamp, in 0..n_time_blocks-1.
    n_time_blocks : int
    row_of : array-like of shape (n_rows,), integer, optional
        Which row of the result each row belongs to, e.g. its symbol; all to row 0 by default.
    n_out : int
        Rows of the result.

    Returns
    -------
    ndarray of shape (n_out, n_time_blocks), float64
    """
    cell = np.asarray(time_block, dtype=np.int64)
    if row_of is not None:
        cell = cell + np.asarray(row_of, dtype=np.int64) * n_time_blocks
    sums = np.bincount(cell, weights=np.asarray(influence, dtype=np.float64), minlength=n_out * n_time_blocks)
    return sums.reshape(n_out, n_time_blocks)


def standard_errors(totals: ArrayLike, *, n_folds: int = 1) -> Float:
    """Standard error of each score from its block totals.

    Parameters
    ----------
    totals : array-like of shape (n_out, n_blocks)
        Sums of influence; a block whose total is exactly 0 has no rows.
    n_folds : int
        Folds over which the influence sums to 0 separately, spread over the blocks; each costs a degree of freedom.

    Returns
    -------
    ndarray of shape (n_out,), float64
        NaN under two blocks.
    """
    totals = np.asarray(totals, dtype=np.float64)
    blocks = np.count_nonzero(totals, axis=1)
    free = np.maximum(blocks - n_folds, 1)
    variance = (totals**2).sum(axis=1) * blocks / free
    return np.where(blocks >= 2, np.sqrt(variance), np.nan)


def interval(score: float, totals: ArrayLike, level: float = 0.95, *, n_folds: int = 1) -> Interval:
    """Put a t interval around a score.

    Parameters
    ----------
    score : float
    totals : array-like of shape (n_blocks,)
        Sums of its influence.
    level : float
        Coverage.
    n_folds : int
        As for ``standard_errors``.
    """
    totals = np.asarray(totals, dtype=np.float64)
    se = float(standard_errors(totals[None], n_folds=n_folds)[0])
    blocks = int(np.count_nonzero(totals))
    if blocks < MIN_BLOCKS or not np.isfinite(score):
        return Interval(se=se, low=np.nan, high=np.nan, n_blocks=blocks)
    reach = se * student_t.ppf(0.5 + level / 2, max(blocks - n_folds, 1))
    return Interval(se=se, low=max(score - reach, 0.0), high=min(score + reach, 1.0), n_blocks=blocks)


def block_length(influence_by_time: ArrayLike, horizon_bars: int) -> int:
    """Timestamps per block."""
    series = np.asarray(influence_by_time, dtype=np.float64)
    return max(3 * horizon_bars, min(_automatic_length(series), len(series) // 20), 1)


def assign_time_blocks(n_times: int, length: int) -> NDArray[np.int64]:
    """Divide timestamps into contiguous blocks of ``length``; the last one takes the remainder."""
    return np.minimum(np.arange(n_times) // length, max(n_times // length - 1, 0))


def _automatic_length(series: Float) -> int:
    n = len(series)
    centred = series - series.mean() if n else series
    if n < 8 or not np.any(centred):
        return 1
    size = 1 << (2 * n - 1).bit_length()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[:n] / n
    quiet = max(5, int(np.sqrt(np.log10(n))))
    limit = int(np.ceil(np.sqrt(n))) + quiet
    small = np.abs(covariance[1 : limit + 1]) < 2 * np.sqrt(np.log10(n) / n) * covariance[0]
    last = next((m for m in range(limit - quiet + 1) if small[m : m + quiet].all()), None)
    if last is None:
        last = int(np.flatnonzero(~small)[-1]) + 1
    band = min(2 * max(last, 1), limit)
    lags = np.arange(1, band + 1)
    taper = np.minimum(1, 2 * (1 - lags / band)) * covariance[1 : band + 1]
    moment, spectrum = 2 * (taper * lags).sum(), covariance[0] + 2 * taper.sum()
    if spectrum <= 0:
        return 1
    return int(np.ceil((2 * moment**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)))

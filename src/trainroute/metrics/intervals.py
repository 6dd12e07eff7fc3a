"""Standard errors and intervals from blocks of whole dates.

Errors of different symbols on the same dates are dependent, and labels that look h bars ahead overlap, so rows are
never counted as independent. All symbols share one set of contiguous blocks of whole dates, and the error of a score is
judged from the sums of its influence (``concordance.py``) over these blocks.

1. ``block_length``: at least 3 x horizon, and what the dependence of the influence demands.
2. ``assign_time_blocks``: the block of each timestamp.
3. ``block_totals``: sums of influence per symbol (or whatever) and block.
4. ``standard_errors``, ``interval``, ``intervals``: the error of each row of totals, and t intervals around scores.

With totals ``T_1..T_B`` (0 outside) the variance is ``1/2 sum (T_b + T_{b+1})^2``, corrected for degrees of freedom:
the Bartlett estimator over two neighbouring blocks (Newey & West 1987, "A simple, positive semi-definite,
heteroskedasticity and autocorrelation consistent covariance matrix", Econometrica 55) applied to sums over whole
cross-sections (Driscoll & Kraay 1998, "Consistent covariance matrix estimation with spatially dependent panel data",
REStat 80). Against independent blocks it halves the bias that is left by dependence across their borders; its
``2/3 B`` degrees of freedom are paid in the t quantile (``benchmarks/interval_coverage.py``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from trainroute.metrics.ordering import Integer

Float = NDArray[np.float64]
MIN_BLOCKS = 15
_LONGEST_CORRECTION = 4.0
_LEAST_SERIES = 8


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The error of a score.

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


def block_length(influence_by_time: ArrayLike, horizon_bars: int) -> int:
    """How many timestamps make a block.

    The longer of 3 x ``horizon_bars`` and twice the automatic length of Politis & White (2004, "Automatic block-length
    selection for the dependent bootstrap", Econometric Reviews 23; corrected by Patton, Politis & White 2009). Their
    length has the least squared error of the variance; coverage suffers more from its bias than from its noise and
    wants longer blocks (Sun, Phillips & Jin 2008, "Optimal bandwidth selection in heteroskedasticity-autocorrelation
    robust testing", Econometrica 76); twice was found by simulation. What dependence demands is capped at one
    ``MIN_BLOCKS``-th of the series, so that an interval remains; what the horizon demands is not.

    Parameters
    ----------
    influence_by_time : array-like of shape (n_times,)
        Sums of influence over all rows of each timestamp that was scored, in order of time.
    horizon_bars : int
        Bars that a label looks ahead.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    series = np.asarray(influence_by_time, dtype=np.float64)
    if not np.isfinite(series).all():
        raise ValueError("influence_by_time must be finite; got NaN or infinite values")
    demanded = min(2 * _automatic_length(series), len(series) // MIN_BLOCKS)
    return max(3 * horizon_bars, demanded, 1)


def assign_time_blocks(n_times: int, length: int) -> Integer:
    """Divide timestamps into contiguous blocks of ``length``; the last one takes the remainder.

    Returns
    -------
    ndarray of shape (n_times,), int64
        Block of each timestamp, from 0.

    Examples
    --------
    >>> assign_time_blocks(7, 3)
    array([0, 0, 0, 1, 1, 1, 1])
    """
    blocks: Integer = np.minimum(np.arange(n_times) // length, max(n_times // length - 1, 0))
    return blocks


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
        Which row of the result each row goes to, e.g. the number of its symbol; by default all go to row 0.
    n_out : int
        Rows of the result.

    Returns
    -------
    ndarray of shape (n_out, n_time_blocks), float64

    Raises
    ------
    ValueError
        If a block or a row of the result is out of range.
    """
    cell = _in_range(time_block, n_time_blocks, "time_block")
    if row_of is not None:
        cell = cell + _in_range(row_of, n_out, "row_of") * n_time_blocks
    weights = np.asarray(influence, dtype=np.float64)
    sums: Float = np.bincount(cell, weights, n_out * n_time_blocks).astype(np.float64, copy=False)
    return sums.reshape(n_out, n_time_blocks)


def standard_errors(totals: ArrayLike, *, n_folds: ArrayLike = 1) -> Float:
    """Estimate the standard error of each score from the block totals of its influence.

    Parameters
    ----------
    totals : array-like of shape (n_out, n_blocks)
        Sums of influence, blocks in order of time. A block whose total is exactly 0 counts as empty.
    n_folds : int or array-like of shape (n_out,)
        Test folds over each of which the influence sums to 0, so that each costs degrees of freedom.

    Returns
    -------
    ndarray of shape (n_out,), float64
        NaN under two blocks with rows: also for a score without any variation (a constant prediction, a perfect one).
    """
    totals = np.asarray(totals, dtype=np.float64)
    beyond = np.zeros((len(totals), 1))
    neighbours = np.hstack((totals, beyond)) + np.hstack((beyond, totals))
    variance = 0.5 * (neighbours**2).sum(axis=1)
    blocks, effective = _blocks(totals)
    correction = 1 / np.maximum(1 - 2 * np.asarray(n_folds) / np.maximum(effective, 1), 1 / _LONGEST_CORRECTION)
    errors: Float = np.where(blocks > 1, np.sqrt(variance * correction), np.nan)
    return errors


def degrees_of_freedom(totals: ArrayLike, *, n_folds: ArrayLike = 1) -> Float:
    """Degrees of freedom of each standard error.

    Two thirds of the effective number of blocks (the variance of the Bartlett weights 1, 1/2) less one for each fold;
    at least 2. The effective number is what independent normal totals would need for the same ratio of fourth to
    squared second moments, ``3 (sum T^2)^2 / sum T^4 - 2``, so that a few blocks that hold most of the events of a rare
    class do not pass for many (Satterthwaite 1946, "An approximate distribution of estimates of variance components").

    Parameters
    ----------
    totals, n_folds
        As for ``standard_errors``.

    Returns
    -------
    ndarray of shape (n_out,), float64
    """
    _, effective = _blocks(np.asarray(totals, dtype=np.float64))
    degrees: Float = np.maximum(2 / 3 * effective - np.asarray(n_folds), 2.0)
    return degrees


def interval(score: float, totals: ArrayLike, level: float = 0.95, *, n_folds: int = 1) -> Interval:
    """Put a t interval around a score.

    Parameters
    ----------
    score : float
        In [0, 1].
    totals : array-like of shape (n_blocks,)
        Sums of its influence, blocks in order of time.
    level : float
        Coverage.
    n_folds : int
        As for ``standard_errors``.
    """
    return intervals([score], np.asarray(totals, dtype=np.float64)[None], level, n_folds=n_folds)[0]


def intervals(
    scores: ArrayLike, totals: ArrayLike, level: float = 0.95, *, n_folds: ArrayLike = 1
) -> tuple[Interval, ...]:
    """Put a t interval around each of many scores.

    Parameters
    ----------
    scores : array-like of shape (n_out,)
        In [0, 1].
    totals : array-like of shape (n_out, n_blocks)
        Sums of their influence, blocks in order of time.
    level, n_folds
        As for ``interval`` and ``standard_errors``.
    """
    score, table = np.asarray(scores, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    se = standard_errors(table, n_folds=n_folds)
    blocks = np.count_nonzero(table, axis=1)
    reach = se * stdtrit(degrees_of_freedom(table, n_folds=n_folds), 0.5 + level / 2)
    reach[(blocks < MIN_BLOCKS) | ~np.isfinite(score)] = np.nan
    ends = np.stack((se, np.maximum(score - reach, 0.0), np.minimum(score + reach, 1.0)), axis=1)
    return tuple(
        Interval(se=own, low=low, high=high, n_blocks=count)
        for (own, low, high), count in zip(ends.tolist(), blocks.tolist(), strict=True)
    )


def _blocks(totals: Float) -> tuple[Integer, Float]:
    """Count the blocks of each row, and its effective number of them."""
    blocks = np.count_nonzero(totals, axis=1)
    # Scaled first: the fourth power of an influence of 1e-80 would vanish.
    largest = np.abs(totals).max(axis=1, initial=0.0, keepdims=True)
    squares = (totals / np.where(largest > 0, largest, 1.0)) ** 2
    fourth = np.maximum((squares**2).sum(axis=1), 1.0)
    return blocks, np.minimum(blocks, 3 * squares.sum(axis=1) ** 2 / fourth - 2)


def _in_range(values: ArrayLike, stop: int, name: str) -> Integer:
    numbers = np.asarray(values, dtype=np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < stop):
        raise ValueError(f"{name} must be in 0..{stop - 1}; got {numbers.min()}..{numbers.max()}")
    return numbers


def _automatic_length(series: Float) -> int:
    """Length of Politis & White (2004), circular block bootstrap, with the constants of their section 3.2."""
    n = len(series)
    if n < _LEAST_SERIES or np.ptp(series) == 0:
        return 1
    covariance = _autocovariance(series)
    quiet = max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    longest = int(np.ceil(np.sqrt(n))) + quiet
    correlation = np.abs(covariance[1 : longest + 1]) / covariance[0]
    significant = np.flatnonzero(correlation >= 2 * np.sqrt(np.log10(n) / n)) + 1
    # The smallest lag that is followed by `quiet` insignificant ones.
    gaps = np.diff(significant, prepend=0, append=longest + quiet + 1)
    last = int(np.append(0, significant)[np.argmax(gaps > quiet)])
    lags = np.arange(1, min(2 * max(last, 1), longest) + 1)
    taper = np.minimum(1.0, 2 * (1 - lags / lags[-1])) * covariance[lags]
    slope, spectrum = 2 * float(taper @ lags), float(covariance[0] + 2 * taper.sum())
    if spectrum <= 0:
        return 1
    return int(np.ceil((1.5 * n * (slope / spectrum) ** 2) ** (1 / 3)))


def _autocovariance(series: Float) -> Float:
    n = len(series)
    size = 1 << (2 * n - 1).bit_length()
    power = np.abs(np.fft.rfft(series - series.mean(), size)) ** 2
    return np.fft.irfft(power, size)[:n] / n

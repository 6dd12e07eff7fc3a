"""How much independent evidence overlapping rows hold."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def effective_windows(time_index: ArrayLike, horizon_bars: int) -> float:
    """Count labelled timestamps in units of the horizon.

    Labels that look h bars ahead share all but one h-th with their neighbours, so that n timestamps hold about n / h
    independent windows, however many symbols are on them (Hansen & Hodrick 1980, "Forward exchange rates as optimal
    predictors of future spot rates", JPE 88).

    Parameters
    ----------
    time_index : array-like of int
        Timestamp numbers of the rows with a label; the same one may come more than once.
    horizon_bars : int
        At least 1.

    Raises
    ------
    ValueError
        If the horizon is shorter than one bar.

    Examples
    --------
    >>> effective_windows([0, 1, 2, 2, 3, 5], 2)
    2.5
    """
    _refuse_short(horizon_bars)
    return len(_distinct(np.asarray(time_index))) / horizon_bars


def non_overlapping_events(time_index: ArrayLike, is_event: ArrayLike, horizon_bars: int) -> int:
    """Count events whose label windows do not overlap: the most that can be chosen a horizon apart.

    Taking the earliest event that fits, again and again, gives the largest such set (interval scheduling).

    Parameters
    ----------
    time_index : array-like of int of shape (n_rows,)
        Timestamp numbers, in any order.
    is_event : array-like of bool of shape (n_rows,)
    horizon_bars : int
        At least 1; chosen events are at least this many bars apart.

    Raises
    ------
    ValueError
        If the horizon is shorter than one bar.

    Examples
    --------
    >>> non_overlapping_events([0, 1, 2, 3, 9], [True, True, True, False, True], 2)
    3
    """
    _refuse_short(horizon_bars)
    times = _distinct(np.asarray(time_index)[np.asarray(is_event, dtype=bool)])
    following = np.searchsorted(times, times + horizon_bars).tolist()
    count, place = 0, 0
    while place < len(following):
        count, place = count + 1, following[place]
    return count


def _distinct(times: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the distinct timestamp numbers, ascending; they are dense, so that marking them is faster than sorting."""
    if len(times) == 0:
        return np.empty(0, np.int64)
    low = int(times.min())
    seen = np.zeros(int(times.max()) - low + 1, np.bool_)
    seen[times - low] = True
    return np.flatnonzero(seen) + low


def _refuse_short(horizon_bars: int) -> None:
    if horizon_bars < 1:
        raise ValueError(f"horizon_bars must be at least 1; got {horizon_bars}")

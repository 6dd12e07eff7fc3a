"""Concordant and comparable partners of every row, in all groups at once and without a loop over rows.

A row's partners are the rows of its group. In a group of ``n`` rows, those above a row in both prediction ``p`` and
outcome ``y`` follow from those below it::

    #(p' > p, y' > y) = n - #(p' <= p) - #(y' <= y) + #(p' <= p, y' <= y)

so one count of dominated points is enough; everything else is a position in a sorted order.

Dominated points are counted bit by bit. The outcomes become ranks 0..n-1 inside each group and the rows stand in the
order of their predictions; a stable partition then goes from the highest bit of the rank to the lowest. Two rows meet
exactly once, at the highest bit in which their ranks differ, where a running total of zeros says how many smaller ranks
stand before a row. That is O(N log n) for N rows in groups of at most n, each step a few vector operations over all
rows: the counting of inversions by merge sort (Knight 1966, "A computer method for calculating Kendall's tau with
ungrouped data", JASA 61) turned into whole-array steps.
"""

import numpy as np
from numpy.typing import NDArray

from trainroute.metrics.ordering import Integer, Ordered, Runs, Values, changes, inverse, order_rows

Float = NDArray[np.float64]


def binary_partners(ordered: Ordered, high: NDArray[np.bool_]) -> tuple[Float, Float]:
    """Count partners where each group has at most two outcomes.

    Parameters
    ----------
    ordered : Ordered
        Rows by group and prediction.
    high : ndarray of shape (n_rows,), bool
        In sorted order: whether the outcome is the larger one of its group.

    Returns
    -------
    concordant, comparable : ndarray of shape (n_rows,), float64
        In sorted order; a tied prediction counts one half.
    """
    groups, runs = ordered.groups, ordered.runs
    highs = np.concatenate(([0], np.cumsum(high, dtype=np.int64)))
    before = highs[groups.starts]
    n_high = highs[groups.starts + groups.sizes] - before
    twice_highs_below = highs[runs.start] + highs[runs.end] - groups.spread(2 * before)
    twice_rows_below = runs.start + runs.end - groups.spread(2 * groups.starts)
    twice_concordant = np.where(
        high, twice_rows_below - twice_highs_below, groups.spread(2 * n_high) - twice_highs_below
    )
    comparable = np.where(high, groups.spread(groups.sizes - n_high), groups.spread(n_high))
    return 0.5 * twice_concordant, comparable.astype(np.float64)


def general_partners(ordered: Ordered, outcome: Values) -> tuple[Float, Float]:
    """Count partners for outcomes of any kind.

    Parameters
    ----------
    ordered : Ordered
        Rows by group and prediction.
    outcome : ndarray of shape (n_rows,)
        In sorted order, without NaN.

    Returns
    -------
    concordant, comparable : ndarray of shape (n_rows,), float64
        In sorted order; a tied prediction counts one half.
    """
    groups, prediction = ordered.groups, ordered.runs
    start, size = groups.start_of_row, groups.spread(groups.sizes)
    by_outcome = order_rows(groups, outcome)
    place = inverse(by_outcome.order)
    truth = by_outcome.runs
    number, truth_number = prediction.number, truth.number[place]
    # Equal predictions stand in the order of falling outcomes, and equal outcomes get ranks that fall along the
    # sequence, so that no tie counts as dominated.
    sequence = _falling_within(number, truth_number) if prediction.tied else np.arange(len(outcome))
    ranked = _falling_within(truth_number, inverse(sequence)) if truth.tied else by_outcome.order
    dominated = np.empty(len(outcome), dtype=np.int64)
    dominated[ranked] = dominated_before((inverse(ranked) - start)[sequence], start, int(groups.sizes.max(initial=0)))
    truth_end = truth.end[place]
    lower_truth, equal = _tied(sequence, number, truth_number, prediction.end) if prediction.tied else (0, 1)
    lower_prediction, _ = _tied(ranked, number, truth_number, truth_end) if truth.tied else (0, 1)
    at_most = dominated + lower_truth + lower_prediction + equal
    above = size - (prediction.end - start) - (truth_end - start) + at_most
    concordant = dominated + above + 0.5 * (prediction.end - prediction.start - equal)
    comparable = size - (truth_end - truth.start[place])
    return concordant, comparable.astype(np.float64)


def dominated_before(rank: Integer, start: Integer, longest: int) -> NDArray[np.int32]:
    """Count, for each row, the earlier rows of its group with a smaller rank.

    Parameters
    ----------
    rank : ndarray of shape (n_rows,), int
        A permutation of 0..n-1 inside each group; groups lie one after the other.
    start : ndarray of shape (n_rows,), int
        Position of the first row of each row's group.
    longest : int
        Rows of the longest group.

    Returns
    -------
    ndarray of shape (n_rows,), int32
        In the order of the ranks: element ``start + rank`` belongs to the row of that rank.
    """
    remaining, begin = rank.astype(np.int32), start.astype(np.int32)
    in_group = np.arange(len(rank), dtype=np.int32) - begin
    count = np.zeros(len(rank), dtype=np.int32)
    for bit in reversed(range(max(longest - 1, 0).bit_length())):
        one = (remaining >> bit) & 1
        running = np.zeros(len(rank) + 1, dtype=np.int32)
        np.cumsum(one ^ 1, out=running[1:])
        zeros = running[:-1] - running[begin]  # earlier in the group
        # Rows with equal higher bits are a node: it begins at twice `half` in its group, and all nodes before it are
        # full, half of them zeros. Zeros go to its first half, ones behind them.
        half = (remaining >> (bit + 1)) << bit
        count += one * (zeros - half)
        target = begin + half + np.where(one, in_group - zeros + (1 << bit), zeros)
        remaining, count = _moved(remaining, target), _moved(count, target)
    return count


def _moved(values: NDArray[np.int32], target: NDArray[np.int32]) -> NDArray[np.int32]:
    result = np.empty_like(values)
    result[target] = values
    return result


def _falling_within(number: Integer, other: Integer) -> Integer:
    """Sort by ``number``, equal ones by falling ``other``; both are in 0..n_rows-1."""
    return np.argsort(number * len(number) - other)


def _tied(order: Integer, number: Integer, truth_number: Integer, run_end: Integer) -> tuple[Integer, Integer]:
    """Count, for each row, the rows behind its equals in its run, and its equals with itself.

    ``order`` sorts by one number and, inside its runs, by the other; ``run_end`` is where the run of each row ends.
    """
    equals = Runs(changes(number[order]) | changes(truth_number[order]))
    place = inverse(order)
    return run_end - equals.end[place], (equals.end - equals.start)[place]

"""Rows sorted by group and value: contiguous groups, and runs of equal values inside them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integer = NDArray[np.int64]
Values = NDArray[Any]
_RADIX_LIMIT = 1 << 16


@dataclass(frozen=True)
class Groups:
    """Groups whose rows lie one after the other.

    Attributes
    ----------
    sizes : ndarray of shape (n_groups,), int64
        Rows of each group; 0 is possible.
    """

    sizes: Integer

    @cached_property
    def starts(self) -> Integer:
        """Position of the first row of each group."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def present(self) -> Integer:
        """The groups that have rows."""
        return np.flatnonzero(self.sizes)

    @cached_property
    def start_of_row(self) -> Integer:
        """Shape (n_rows,): position of the first row of each row's group."""
        return self.spread(self.starts)

    def spread(self, values: Values) -> Values:
        """Give each row the value of its group."""
        return np.repeat(values, self.sizes)

    def reduce(self, function: np.ufunc, values: Values) -> Values:
        """Reduce the rows of each group by ``function``; 0 for groups without rows."""
        result = np.zeros(len(self.sizes), dtype=values.dtype)
        if len(self.present):
            result[self.present] = function.reduceat(values, self.starts[self.present])
        return result


@dataclass(frozen=True)
class Runs:
    """Runs of equal values in sorted rows.

    Attributes
    ----------
    first : ndarray of shape (n_rows,), bool
        True where a run begins.
    """

    first: NDArray[np.bool_]

    @cached_property
    def tied(self) -> bool:
        """Whether any two rows are in one run."""
        return not bool(self.first.all())

    @cached_property
    def number(self) -> Integer:
        """Shape (n_rows,): which run each row is in, ascending."""
        return np.cumsum(self.first, dtype=np.int64) - 1

    @cached_property
    def start(self) -> Integer:
        """Shape (n_rows,): position of the first row of each row's run."""
        if not self.tied:
            return np.arange(len(self.first))
        return np.flatnonzero(self.first)[self.number]

    @cached_property
    def end(self) -> Integer:
        """Shape (n_rows,): position after the last row of each row's run."""
        if not self.tied:
            return np.arange(1, len(self.first) + 1)
        return np.append(np.flatnonzero(self.first)[1:], len(self.first))[self.number]


@dataclass(frozen=True)
class Ordered:
    """Rows sorted by group and value.

    Attributes
    ----------
    order : ndarray of shape (n_rows,), int64
        The row at each position.
    groups : Groups
    runs : Runs
        Of equal values inside a group.
    """

    order: Integer
    groups: Groups
    runs: Runs


def order_rows(group: Integer, values: Values, sizes: Integer) -> Ordered:
    """Sort rows by group, then value; the order among equal values is not defined.

    Parameters
    ----------
    group : ndarray of shape (n_rows,), int64
    values : ndarray of shape (n_rows,)
        Without NaN.
    sizes : ndarray of shape (n_groups,), int64
        Rows of each group.
    """
    order = np.argsort(values)
    order = order[_stable_order(group[order], len(sizes))]
    groups = Groups(sizes)
    first = changes(values[order])
    first[groups.starts[groups.present]] = True
    return Ordered(order, groups, Runs(first))


def changes(values: Values) -> NDArray[np.bool_]:
    """Mark the first row and every row that differs from the one before it."""
    first = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def inverse(order: Integer) -> Integer:
    """Return the position of each row, given the row at each position."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place


def _stable_order(group: Integer, n_groups: int) -> Integer:
    """Sort by group, stable; NumPy sorts 16-bit integers by radix, several times faster than wider ones."""
    if n_groups <= _RADIX_LIMIT:
        return np.argsort(group.astype(np.uint16), kind="stable")
    low = np.argsort((group % _RADIX_LIMIT).astype(np.uint16), kind="stable")
    return low[np.argsort(group[low] // _RADIX_LIMIT, kind="stable")]

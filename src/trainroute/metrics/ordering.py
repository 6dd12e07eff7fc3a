"""Rows sorted by group and value: contiguous groups, and runs of equal values inside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integer = NDArray[np.int64]
Values = NDArray[Any]
_SMALL = 1 << 16


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

    def chunks(self, n_rows: int) -> Iterator[tuple[slice, slice]]:
        """Yield slices of groups and of their rows: as many groups as fit ``n_rows`` rows, at least one."""
        ends = self.starts + self.sizes
        first = 0
        while first < len(ends):
            fit = int(np.searchsorted(ends, self.starts[first] + n_rows, side="right"))
            last = min(max(fit, first + 1), first + n_rows)
            yield slice(first, last), slice(int(self.starts[first]), int(ends[last - 1]))
            first = last

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


def order_rows(groups: Groups, values: Values) -> Ordered:
    """Sort the rows of each group by value; the order among equal values is not defined.

    Parameters
    ----------
    groups : Groups
    values : ndarray of shape (n_rows,)
        Group by group, without NaN.
    """
    if values.dtype == np.float32 and max(len(values), len(groups.sizes)) <= _SMALL:
        order = _packed_order(groups, values)
    else:
        order = np.argsort(values)
        order = order[stable_order(groups.spread(np.arange(len(groups.sizes)))[order], len(groups.sizes))]
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


def stable_order(group: Integer, n_groups: int) -> Integer:
    """Sort by group, stable; NumPy sorts 16-bit integers by radix, several times faster than wider ones."""
    if n_groups <= _SMALL:
        return np.argsort(group.astype(np.uint16), kind="stable")
    low = np.argsort((group % _SMALL).astype(np.uint16), kind="stable")
    return low[np.argsort(group[low] // _SMALL, kind="stable")]


def _packed_order(groups: Groups, values: NDArray[np.float32]) -> Integer:
    """Sort one integer per row: its group, then its value, then its place, of 16, 32 and 16 bits.

    The bits of a float32 order as it does once those of negative numbers, sign bit apart, are turned over.
    """
    bits = np.ascontiguousarray(values).view(np.int32)
    key = (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64)
    key -= np.iinfo(np.int32).min
    key <<= 16
    key += np.arange(len(key))
    packed = key.view(np.uint64)
    packed += groups.spread(np.arange(len(groups.sizes), dtype=np.uint64) << np.uint64(48))
    packed.sort()
    order: Integer = (packed & np.uint64(_SMALL - 1)).astype(np.int64)
    return order

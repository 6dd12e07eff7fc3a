"""One pass over the rows: the sums from which every fold, the pooled model and every local model follow by addition.

1. Targets whose labels exist on the same rows and end at the same times share one set of sums (`target_groups`).
2. Each row falls into the bucket ``usable_from``: the first block boundary that its label has ended before
   (`WalkForward.usable_from`). So the training rows of fold k are the buckets up to k, and the purge costs nothing.
3. Per symbol and bucket: row count, sums, and the matrix of products of features and label columns (`accumulate`).
4. `Moments.centred` turns sums into within-symbol (co)variances; sums over symbols give the pooled ones.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainroute.evaluate.design import LabelColumns, Scale, standardised
from trainroute.panel import Panel, SymbolRows, WalkForward
from trainroute.parallel import in_threads

Floats = NDArray[np.float64]
_ROUNDING = 1e-5


@dataclass(frozen=True, kw_only=True)
class TargetGroup:
    """Targets that share rows, label ends and so all feature sums; positions in ``Panel.targets``."""

    targets: tuple[int, ...]
    horizon_index: int


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Centred sums of products, per symbol (leading axis) or pooled (leading axis of length 1).

    Attributes
    ----------
    n : ndarray of shape (k,)
    xx : ndarray of shape (k, n_features, n_features)
    xy : ndarray of shape (k, n_features, n_columns)
    yy : ndarray of shape (k, n_columns)
    """

    n: Floats
    xx: Floats
    xy: Floats
    yy: Floats

    @classmethod
    def added(cls, parts: Sequence["Moments"]) -> "Moments":
        """Add up pooled moments of several sets of symbols."""
        return cls(
            n=np.sum([part.n for part in parts], axis=0),
            xx=np.sum([part.xx for part in parts], axis=0),
            xy=np.sum([part.xy for part in parts], axis=0),
            yy=np.sum([part.yy for part in parts], axis=0),
        )

    def pooled(self) -> "Moments":
        """Sum over symbols: the within-symbol (fixed effects) moments of the pool."""
        return Moments(
            n=self.n.sum(keepdims=True),
            xx=self.xx.sum(0, keepdims=True),
            xy=self.xy.sum(0, keepdims=True),
            yy=self.yy.sum(0, keepdims=True),
        )

    def correlation(self) -> Floats:
        """Within-symbol correlation of each feature with each label column, shape (k, n_features, n_columns)."""
        scale = np.sqrt(np.einsum("kff->kf", self.xx)[:, :, None] * self.yy[:, None, :])
        correlation: Floats = np.divide(self.xy, scale, out=np.zeros_like(self.xy), where=scale > 0)
        return correlation


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Raw sums per symbol and bucket; bucket ``b`` holds the rows that train from fold ``b + 1`` on.

    ``products`` has shape (n_symbols, n_buckets, 1 + n_features + n_columns, the same), for the row vector
    [1, features, label columns].
    """

    products: NDArray[np.float32]
    n_features: int

    def rows(self, last: int) -> Floats:
        """Return how many rows of each symbol are in the buckets before ``last``, shape (n_symbols,)."""
        counted: Floats = self.products[:, :last, 0, 0].sum(1, dtype=np.float64)
        return counted

    def moments(self, first: int, last: int, symbols: slice = slice(None)) -> Moments:
        """Return the centred moments of the rows in buckets ``first`` … ``last - 1``, per symbol.

        A column whose variance is within the rounding of float32 sums is constant: its moments are exactly 0.
        """
        total = np.zeros((len(self.products[symbols]), *self.products.shape[2:]))
        for bucket in range(first, last):
            total += self.products[symbols, bucket]
        n, sums = total[:, 0, 0], total[:, 0, 1:]
        raw = np.einsum("kii->ki", total)[:, 1:].copy()
        mean = np.divide(sums, n[:, None], out=np.zeros_like(sums), where=n[:, None] > 0)
        centred = total[:, 1:, 1:]
        centred -= sums[:, :, None] * mean[:, None, :]
        constant = np.einsum("kii->ki", centred) <= _ROUNDING * raw
        for symbol, column in np.argwhere(constant):
            centred[symbol, column, :] = centred[symbol, :, column] = 0.0
        f = self.n_features
        return Moments(
            n=n,
            xx=centred[:, :f, :f],
            xy=centred[:, :f, f:],
            yy=np.einsum("kii->ki", centred)[:, f:],
        )


def target_groups(panel: Panel) -> tuple[TargetGroup, ...]:
    """Group targets by label end and by the rows that have a label."""
    digests = [hashlib.sha256() for _ in panel.targets]
    for rows in panel.rows:
        missing = np.packbits(np.isnan(rows.targets), axis=0)
        for digest, column in zip(digests, missing.T, strict=True):
            digest.update(column.tobytes())
    groups: dict[tuple[int, str], list[int]] = {}
    for position, (target, digest) in enumerate(zip(panel.targets, digests, strict=True)):
        groups.setdefault((target.horizon_index, digest.hexdigest()), []).append(position)
    return tuple(TargetGroup(targets=tuple(g), horizon_index=key[0]) for key, g in groups.items())


def labelled(rows: SymbolRows, group: TargetGroup) -> NDArray[np.bool_]:
    """Return which rows of a symbol have the group's labels, shape (n_rows,)."""
    return ~np.isnan(rows.targets[:, group.targets[0]])


def accumulate(
    panel: Panel,
    group: TargetGroup,
    split: WalkForward,
    scale: Scale,
    columns: LabelColumns,
    column_index: NDArray[np.intp],
) -> Sums:
    """Build the sums of one group in one pass.

    Parameters
    ----------
    column_index : ndarray of int
        The label columns that belong to the group's targets.
    """
    n_buckets = len(split.boundaries) - 1
    width = 1 + len(panel.features) + len(column_index)
    products = np.zeros((len(panel.rows), n_buckets, width, width), np.float32)

    def add(s: int) -> None:
        rows = panel.rows[s]
        order, edges = _by_bucket(rows, group, split, n_buckets)
        matrix = np.empty((len(order), width), np.float32)
        matrix[:, 0] = 1.0
        matrix[:, 1 : 1 + len(panel.features)] = standardised(rows, scale, order)
        matrix[:, 1 + len(panel.features) :] = columns.encode(rows.targets[order])[:, column_index]
        for bucket, (low, high) in enumerate(pairwise(edges)):
            part = matrix[low:high]
            products[s, bucket] = part.T @ part

    in_threads(add, range(len(panel.rows)))
    return Sums(products=products, n_features=len(panel.features))


def _by_bucket(
    rows: SymbolRows, group: TargetGroup, split: WalkForward, n_buckets: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of a symbol bucket by bucket, and where each bucket begins (and the last one ends)."""
    usable = split.usable_from(rows.label_end[:, group.horizon_index])
    usable[~labelled(rows, group)] = n_buckets + 1
    order = np.argsort(usable, kind="stable")
    edges = np.searchsorted(usable[order], np.arange(1, n_buckets + 2))
    return order[: edges[-1]], edges

"""Stability: whether successive, disjoint spans of time select the same features with the same signs.

1. A snapshot holds each feature's signed within-symbol correlation with the target over one span of time, and how many
   independent label windows that span has. The features beyond noise in it, at most ``top_k``, are its selection.
2. Each pair of snapshots that share no time gives a Jaccard overlap of signed selections, corrected for chance, and a
   Kendall tau of the importances over their union. 0 is chance, 1 is equal.
3. Evidence of change is predictive: the correlation that the ridge model of one span has with the labels of the next
   varies by more than its sampling error, and somewhere is surely less than half of its mean (`changed`).
4. `classify` applies the rules of SPEC section 4 in order. UNKNOWN also unless more than half of the snapshots select
   anything: two that agree say little where three find nothing. Without evidence of change nothing is DRIFTING or
   DIVERGED, and with it nothing is STABLE.

References
----------
Nogueira, Sechidis & Brown (2018), On the stability of feature selection algorithms, JMLR 18.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from trainroute.config.routing import StabilityClassification
from trainroute.evaluate.linear import Mask, path_correlation, ridge_path
from trainroute.evaluate.statistics import Floats, Moments
from trainroute.parallel import in_threads
from trainroute.records.vocabulary import StabilityCategory

SIGNIFICANCE = 0.05
CHANGE_SIGNIFICANCE = 0.01
_PENALTY = np.array([0.3])
_MIN_RANKED = 3
_MIN_WINDOWS = 5


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Signed feature importances of one target (and symbol, or the pool) over one span of time.

    ``start`` and ``end`` are timestamps (µs) that bound the labels used; ``windows`` counts independent label windows.
    """

    start: int
    end: int
    importance: Floats
    windows: float


@dataclass(frozen=True, kw_only=True)
class Stability:
    """Category and its evidence; NaN where undefined."""

    category: StabilityCategory
    mean_overlap: float
    std_overlap: float
    mean_tau: float
    std_tau: float
    n_snapshots: int


def selection(importance: Floats, windows: Floats, allowed: NDArray[np.bool_], top_k: int) -> Floats:
    """Return the signs of the selected features, 0 elsewhere, of any number of snapshots.

    Selected are the ``top_k`` strongest whose Fisher z exceeds the Bonferroni bound for the features tried.

    Parameters
    ----------
    importance : ndarray of shape (..., n_features)
    windows : ndarray of shape (...)
    allowed : ndarray of shape (n_features,), bool
    """
    z = _fisher(np.where(allowed, importance, 0.0)) * np.sqrt(np.maximum(windows - 3.0, 0.0))[..., None]
    bound = -ndtri(SIGNIFICANCE / (2 * max(int(allowed.sum()), 1)))
    strongest = np.argsort(-np.abs(z), axis=-1, kind="stable")[..., :top_k]
    chosen = np.take_along_axis(z, strongest, -1)
    signs = np.zeros_like(z)
    np.put_along_axis(signs, strongest, np.sign(chosen) * (np.abs(chosen) > bound), -1)
    return signs


def information(correlations: Floats, windows: Floats) -> float:
    """How many independent observations one label window is worth, judged by how much correlations really vary.

    Persistent features make it less than 1 for a symbol; a pool of symbols makes it more, as far as their errors are
    independent. True drift in most features would lower it, which errs towards "no evidence of change".

    Parameters
    ----------
    correlations : ndarray of shape (n_blocks, k, n_features)
        Of disjoint blocks of time.
    windows : ndarray of shape (n_blocks, k)

    Returns
    -------
    float
        Expected variance of Fisher's z for independent windows over its median variance between blocks.
    """
    counted = windows >= _MIN_WINDOWS
    z = np.where(counted[:, :, None], _fisher(correlations), np.nan)
    whole = counted.all(0)
    if not whole.any() or len(windows) < _MIN_RANKED:
        return 1.0
    expected = float((1.0 / windows[:, whole]).mean())
    spread = float(np.median(z[:, whole].var(0, ddof=1)))
    return expected / spread if spread > 0 else 1.0


def changed(spans: Sequence[Moments], windows: Floats, groups: tuple[Mask, ...]) -> NDArray[np.bool_]:
    """Test whether the relation of features and labels changes between successive spans.

    Parameters
    ----------
    spans : sequence of Moments
        One per span of time, in order; leading axis of length k.
    windows : ndarray of shape (n_spans, k)
        Independent label windows.
    groups : tuple of Mask
        The features that the models may use.

    Returns
    -------
    ndarray of shape (k, n_columns), bool
        Whether Cochran's Q over the correlations of each span's model with the next span's labels is significant, and
        at least one of them lies below half of their mean by more than its sampling error.
    """

    def ahead(pair: tuple[Moments, Moments]) -> Floats:
        found: Floats = path_correlation(ridge_path(pair[0], groups, _PENALTY), pair[1])[0]
        return found

    r = np.stack(in_threads(ahead, pairwise(spans)))
    weight = np.maximum(windows[1:] - 3.0, 0.0)[:, :, None]
    z = _fisher(r)
    mean = (weight * z).sum(0) / np.maximum(weight.sum(0), 1e-12)
    q = (weight * (z - mean) ** 2).sum(0)
    unlikely = chdtrc(max(len(r) - 1, 1), q) < CHANGE_SIGNIFICANCE
    reach = -ndtri(CHANGE_SIGNIFICANCE) / np.sqrt(np.maximum(weight, 1e-12))
    fails = ((z + reach) < 0.5 * mean).any(0)
    found: NDArray[np.bool_] = unlikely & fails
    return found


def classify(
    histories: Sequence[Sequence[Snapshot]],
    allowed: NDArray[np.bool_],
    *,
    change: NDArray[np.bool_],
    rules: StabilityClassification,
) -> list[Stability]:
    """Apply the rules of SPEC section 4 to the snapshots of one target for the pool and every symbol.

    Parameters
    ----------
    histories : sequence of sequence of Snapshot
        One history for each of the pool and the symbols; lengths may differ.
    allowed : ndarray of shape (n_features,), bool
        Features that passed the leak checks.
    change : ndarray of shape (n_histories,), bool
        Where there is evidence of change (`changed`).
    """
    stack = _Stack.of(histories, len(allowed))
    signs = selection(stack.importance, stack.windows, allowed, rules.top_k)
    pairs = list(combinations(range(len(signs)), 2))
    overlap, tau = np.full((2, len(pairs), len(histories)), np.nan)
    for p, (i, j) in enumerate(pairs):
        k = np.flatnonzero(stack.apart(i, j) & signs[i].any(1) & signs[j].any(1))
        overlap[p, k] = _overlap(signs[i, k], signs[j, k], int(allowed.sum()))
        tau[p, k] = _tau(stack.importance[i, k], stack.importance[j, k], (signs[i, k] != 0) | (signs[j, k] != 0))
    mean_overlap, std_overlap = _mean_std(overlap)
    mean_tau, std_tau = _mean_std(tau)
    undecided = _uninformative(overlap, pairs, stack.present, rules.stable_overlap_min)
    selecting = (signs.any(2) & stack.present).sum(0)
    few = 2 * selecting <= stack.present.sum(0)
    found = []
    for h, history in enumerate(histories):
        own = Stability(
            category=StabilityCategory.UNKNOWN,
            mean_overlap=float(mean_overlap[h]),
            std_overlap=float(std_overlap[h]),
            mean_tau=float(mean_tau[h]),
            std_tau=float(std_tau[h]),
            n_snapshots=len(history),
        )
        enough = len(history) >= rules.min_snapshots_for_stability and np.isfinite(own.mean_overlap)
        if enough and not (undecided[h] or few[h]):
            own = replace(own, category=_category(own, change=bool(change[h]), rules=rules))
        found.append(own)
    return found


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """Snapshots of all histories as arrays of shape (longest history, n_histories, ...); ``present`` where one is."""

    present: NDArray[np.bool_]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    windows: Floats
    importance: Floats

    @classmethod
    def of(cls, histories: Sequence[Sequence[Snapshot]], n_features: int) -> "_Stack":
        shape = max(map(len, histories), default=0), len(histories)
        start, end = np.zeros((2, *shape), np.int64)
        present, windows, importance = np.zeros(shape, np.bool_), np.zeros(shape), np.zeros((*shape, n_features))
        for k, history in enumerate(histories):
            for i, snapshot in enumerate(history):
                present[i, k], start[i, k], end[i, k] = True, snapshot.start, snapshot.end
                windows[i, k], importance[i, k] = snapshot.windows, snapshot.importance
        return cls(present=present, start=start, end=end, windows=windows, importance=importance)

    def apart(self, i: int, j: int) -> NDArray[np.bool_]:
        """Return which histories have both snapshots, and in which they share no time."""
        disjoint = (self.end[i] <= self.start[j]) | (self.end[j] <= self.start[i])
        both: NDArray[np.bool_] = self.present[i] & self.present[j] & disjoint
        return both


def _category(found: Stability, *, change: bool, rules: StabilityClassification) -> StabilityCategory:
    steady = found.std_overlap <= rules.max_std_overlap and not found.std_tau > rules.max_std_tau
    if not change:
        stable = steady and _reaches(found, rules.stable_overlap_min, rules.stable_tau_min)
        return StabilityCategory.STABLE if stable else StabilityCategory.UNKNOWN
    if steady and _reaches(found, rules.drifting_overlap_min, rules.drifting_tau_min):
        return StabilityCategory.DRIFTING
    return StabilityCategory.DIVERGED


def _reaches(found: Stability, overlap: float, tau: float) -> bool:
    return found.mean_overlap >= overlap and not found.mean_tau < tau


def _fisher(correlation: Floats) -> Floats:
    z: Floats = np.arctanh(np.clip(correlation, -0.999999, 0.999999))
    return z


def _overlap(a: Floats, b: Floats, n_features: int) -> Floats:
    """Jaccard overlap of signed selections that are not empty, 0 = chance; ``a``, ``b`` of shape (k, n_features)."""
    size_a, size_b = np.count_nonzero(a, axis=1), np.count_nonzero(b, axis=1)
    shared = np.count_nonzero((a == b) & (a != 0), axis=1)
    jaccard = shared / (size_a + size_b - shared)
    by_chance = size_a * size_b / (2 * n_features)
    expected = by_chance / (size_a + size_b - by_chance)
    corrected: Floats = (jaccard - expected) / (1 - expected)
    return corrected


def _tau(a: Floats, b: Floats, union: NDArray[np.bool_]) -> Floats:
    """Kendall's tau-b of importances over a union of selections; NaN with fewer than three; all (k, n_features)."""
    size = union.sum(1)
    longest = int(size.max(initial=0))
    at = np.argsort(~union, axis=1, kind="stable")[:, :longest]
    a, b = np.take_along_axis(a, at, 1), np.take_along_axis(b, at, 1)
    used = np.arange(longest) < size[:, None]
    both = used[:, :, None] & used[:, None, :]
    above_a, above_b = (both & (x[:, :, None] > x[:, None, :]) for x in (a, b))
    below_b = np.swapaxes(above_b, 1, 2)
    concordant, discordant, in_a, in_b = (
        np.count_nonzero(x, axis=(1, 2)) for x in (above_a & above_b, above_a & below_b, above_a, above_b)
    )
    scale = np.sqrt(in_a * in_b)
    defined = (size >= _MIN_RANKED) & (scale > 0)
    tau: Floats = np.divide(concordant - discordant, scale, out=np.full(len(size), np.nan), where=defined)
    return tau


def _mean_std(values: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the finite values of each column; NaN without any."""
    known = np.isfinite(values)
    count = known.sum(0)
    unknown = np.full(values.shape[1], np.nan)
    mean = np.divide(np.where(known, values, 0.0).sum(0), count, out=unknown.copy(), where=count > 0)
    squares = np.where(known, (values - mean) ** 2, 0.0).sum(0)
    return mean, np.sqrt(np.divide(squares, count, out=unknown, where=count > 0))


def _uninformative(
    overlap: Floats, pairs: Sequence[tuple[int, int]], present: NDArray[np.bool_], stable: float
) -> NDArray[np.bool_]:
    """Whether the delete-one-snapshot jackknife interval of the mean overlap covers both "stable" and chance.

    Parameters
    ----------
    overlap : ndarray of shape (n_pairs, k)
    present : ndarray of shape (n_snapshots, k), bool
    """
    without = np.full(present.shape, np.nan)
    for left_out in range(len(present)):
        kept = np.array([left_out not in pair for pair in pairs], np.bool_)
        without[left_out] = np.where(present[left_out], _mean_std(overlap[kept])[0], np.nan)
    count = np.isfinite(without).sum(0)
    spread = 2.0 * np.sqrt(np.maximum(count - 1, 0)) * _mean_std(without)[1]
    mean = _mean_std(overlap)[0]
    covers: NDArray[np.bool_] = (count > 1) & (mean - spread <= 0.0) & (mean + spread >= stable)
    return covers

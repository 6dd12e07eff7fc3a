"""Stability: whether successive, disjoint spans of time select the same features with the same signs.

1. A snapshot holds each feature's signed within-symbol correlation with the target over one span of time, and how many
   independent label windows that span has. The features beyond noise in it, at most ``top_k``, are its selection.
2. Each pair of snapshots that share no time gives a Jaccard overlap of signed selections, corrected for chance, and a
   Kendall tau of the importances over their union (`_agreement`). 0 is chance, 1 is equal.
3. Evidence of change is predictive: the correlation that the ridge model of one span has with the labels of the next
   varies by more than its sampling error, and somewhere is surely less than half of its mean (`changed`).
4. `classify` applies the rules of SPEC section 4 in order. Without evidence of change nothing is DRIFTING or DIVERGED.

References
----------
Nogueira, Sechidis & Brown (2018), On the stability of feature selection algorithms, JMLR 18.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import chi2, kendalltau

from trainroute.config.schema import StabilityClassification
from trainroute.evaluate.linear import Mask, path_correlation, ridge_path
from trainroute.evaluate.statistics import Floats, Moments
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


def selection(snapshot: Snapshot, allowed: NDArray[np.bool_], top_k: int) -> Floats:
    """Return the signs of the selected features, 0 elsewhere, shape (n_features,).

    Selected are the ``top_k`` strongest whose Fisher z exceeds the Bonferroni bound for the features tried.
    """
    importance = np.where(allowed, snapshot.importance, 0.0)
    z = np.arctanh(np.clip(importance, -0.999999, 0.999999)) * np.sqrt(max(snapshot.windows - 3.0, 0.0))
    bound = -ndtri(SIGNIFICANCE / (2 * max(int(allowed.sum()), 1)))
    order = np.argsort(-np.abs(z), kind="stable")[:top_k]
    signs = np.zeros(len(importance))
    signs[order] = np.sign(z[order]) * (np.abs(z[order]) > bound)
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
    z = np.where(counted[:, :, None], np.arctanh(np.clip(correlations, -0.999999, 0.999999)), np.nan)
    whole = counted.all(0)
    if not whole.any() or len(windows) < _MIN_RANKED:
        return 1.0
    expected = float((1.0 / windows[:, whole]).mean())
    spread = float(np.median(z[:, whole].var(0, ddof=1)))
    return expected / spread if spread > 0 else 1.0


def changed(spans: Sequence[Moments], windows: Floats, mask: Mask) -> NDArray[np.bool_]:
    """Test whether the relation of features and labels changes between successive spans.

    Parameters
    ----------
    spans : sequence of Moments
        One per span of time, in order; leading axis of length k.
    windows : ndarray of shape (n_spans, k)
        Independent label windows.

    Returns
    -------
    ndarray of shape (k, n_columns), bool
        Whether Cochran's Q over the correlations of each span's model with the next span's labels is significant, and
        at least one of them lies below half of their mean by more than its sampling error.
    """
    r = np.stack([path_correlation(ridge_path(a, (mask,), _PENALTY), b)[0] for a, b in pairwise(spans)])
    weight = np.maximum(windows[1:] - 3.0, 0.0)[:, :, None]
    z = np.arctanh(np.clip(r, -0.999999, 0.999999))
    mean = (weight * z).sum(0) / np.maximum(weight.sum(0), 1e-12)
    q = (weight * (z - mean) ** 2).sum(0)
    unlikely = chi2.sf(q, max(len(r) - 1, 1)) < CHANGE_SIGNIFICANCE
    reach = -ndtri(CHANGE_SIGNIFICANCE) / np.sqrt(np.maximum(weight, 1e-12))
    fails = ((z + reach) < 0.5 * mean).any(0)
    found: NDArray[np.bool_] = unlikely & fails
    return found


def classify(
    snapshots: Sequence[Snapshot], allowed: NDArray[np.bool_], *, change: bool, rules: StabilityClassification
) -> Stability:
    """Apply the rules of SPEC section 4 to the snapshots of one target (and symbol, or the pool)."""
    chosen = [selection(s, allowed, rules.top_k) for s in snapshots]
    apart = [
        (i, j)
        for i, j in combinations(range(len(snapshots)), 2)
        if snapshots[i].end <= snapshots[j].start or snapshots[j].end <= snapshots[i].start
    ]
    pairs = [_agreement(snapshots[i], snapshots[j], chosen[i], chosen[j], int(allowed.sum())) for i, j in apart]
    overlap, tau = np.array(pairs).reshape(-1, 2).T
    mean_overlap, std_overlap = _mean_std(overlap)
    mean_tau, std_tau = _mean_std(tau)
    found = Stability(
        category=StabilityCategory.UNKNOWN,
        mean_overlap=mean_overlap,
        std_overlap=std_overlap,
        mean_tau=mean_tau,
        std_tau=std_tau,
        n_snapshots=len(snapshots),
    )
    usable = len(snapshots) >= rules.min_snapshots_for_stability and np.isfinite(mean_overlap)
    if not usable or _uninformative(overlap, apart, len(snapshots), rules.stable_overlap_min):
        return found
    return Stability(**{**vars(found), "category": _category(found, change=change, rules=rules)})


def _category(found: Stability, *, change: bool, rules: StabilityClassification) -> StabilityCategory:
    steady = found.std_overlap <= rules.max_std_overlap and not found.std_tau > rules.max_std_tau
    if steady and _reaches(found, rules.stable_overlap_min, rules.stable_tau_min):
        return StabilityCategory.STABLE
    if not change:
        return StabilityCategory.UNKNOWN
    if steady and _reaches(found, rules.drifting_overlap_min, rules.drifting_tau_min):
        return StabilityCategory.DRIFTING
    return StabilityCategory.DIVERGED


def _reaches(found: Stability, overlap: float, tau: float) -> bool:
    return found.mean_overlap >= overlap and not found.mean_tau < tau


def _agreement(a: Snapshot, b: Snapshot, signs_a: Floats, signs_b: Floats, n_features: int) -> tuple[float, float]:
    size_a, size_b = np.count_nonzero(signs_a), np.count_nonzero(signs_b)
    if size_a == 0 or size_b == 0:
        return float("nan"), float("nan")
    shared = int(np.count_nonzero((signs_a == signs_b) & (signs_a != 0)))
    jaccard = shared / (size_a + size_b - shared)
    by_chance = size_a * size_b / (2 * n_features)
    expected = by_chance / (size_a + size_b - by_chance)
    union = (signs_a != 0) | (signs_b != 0)
    tau = float("nan")
    if union.sum() >= _MIN_RANKED:
        tau = float(kendalltau(a.importance[union], b.importance[union]).statistic)
    return (jaccard - expected) / (1 - expected), tau


def _mean_std(values: Floats) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return float("nan"), float("nan")
    return float(known.mean()), float(known.std())


def _uninformative(overlap: Floats, apart: Sequence[tuple[int, int]], n_snapshots: int, stable: float) -> bool:
    """Whether the delete-one-snapshot jackknife interval of the mean overlap covers both "stable" and chance."""
    known = np.isfinite(overlap)
    without = []
    for left_out in range(n_snapshots):
        kept = [o for o, pair, k in zip(overlap, apart, known, strict=True) if k and left_out not in pair]
        if kept:
            without.append(float(np.mean(kept)))
    if len(without) < 2:  # noqa: PLR2004 - a spread needs two values
        return False
    spread = 2.0 * float(np.sqrt((len(without) - 1) * np.var(without)))
    mean = float(overlap[known].mean())
    return mean - spread <= 0.0 and mean + spread >= stable

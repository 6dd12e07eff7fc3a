"""Features that are a copy of a label whose window is not over: of their own target, or of a sibling.

At time t nobody knows y(t + k) for k > -h: its window ends after t. A feature whose rank correlation with such a label
is within a quarter of the way from perfect to what the *last completed* label y(t - h) shows, and at least 0.995, is a
copy. An honest feature that measures the past window has its peak at k = -h, not after it.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.panel import SymbolRows
from trainroute.records.vocabulary import LeakageStatus

THRESHOLD = 0.995
MIN_ROWS = 200
_MAX_LAGS = 41
_NEARER_THAN_COMPLETED = 0.25


class NearCopies(LeakCheck):
    """Compares every feature with every target at lags whose label is still open: BLOCKED for all targets."""

    name: ClassVar[str] = "copies"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield one finding per copied feature, for the symbol and lag where the copy is closest."""
        best: dict[int, LeakFinding] = {}
        for rows in context.sampled_rows():
            before = context.before_holdout(rows)
            features = _ranks(rows.features[before])
            for position in range(len(context.panel.targets)):
                labels = _ranks(rows.targets[before][:, [position]])
                for finding_feature, found in self._compare(context, rows, features, labels, position):
                    known = best.get(finding_feature)
                    if known is None or (found.statistic or 0.0) > (known.statistic or 0.0):
                        best[finding_feature] = found
        yield from (best[i] for i in sorted(best))

    def _compare(
        self,
        context: LeakContext,
        rows: SymbolRows,
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        position: int,
    ) -> Iterator[tuple[int, LeakFinding]]:
        target = context.panel.targets[position]
        h = target.horizon_bars
        lags = np.unique(np.r_[np.linspace(1 - h, h, _MAX_LAGS).round().astype(int), 0, 1 - h])
        correlation = np.abs(np.stack([_lagged_correlation(features, labels, lag) for lag in lags]))
        completed = np.abs(_lagged_correlation(features, labels, -h))
        peak = correlation.max(0)
        copied = (peak >= THRESHOLD) & (1 - peak < _NEARER_THAN_COMPLETED * (1 - completed))
        for i in np.flatnonzero(copied):
            lag = int(lags[correlation[:, i].argmax()])
            yield (
                int(i),
                LeakFinding(
                    check=self.name,
                    feature=context.panel.features[i],
                    target=None,
                    status=LeakageStatus.BLOCKED,
                    statistic=round(float(peak[i]), 6),
                    threshold=THRESHOLD,
                    rows=len(features),
                    detail=f"copy of {target.name} {lag:+d} bars, whose window is not over at the feature's time ({rows.symbol})",
                ),
            )


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred ranks per column; NaN becomes NaN."""
    ranks = rankdata(values, axis=0, nan_policy="omit")
    return (ranks - np.nanmean(ranks, axis=0)).astype(np.float32) if len(ranks) else ranks.astype(np.float32)


def _lagged_correlation(features: NDArray[np.float32], labels: NDArray[np.float32], lag: int) -> NDArray[np.float64]:
    """Correlation of f(t) with y(t + lag) per feature, over rows that have both; 0 below ``MIN_ROWS`` rows."""
    n = len(features)
    f = features[max(0, -lag) : n - max(0, lag)]
    y = labels[max(0, lag) : n + min(0, lag), 0]
    known = ~np.isnan(y)
    f, y = f[known], y[known].astype(np.float64)
    both = ~np.isnan(f)
    count = both.sum(0)
    f = np.nan_to_num(f).astype(np.float64)
    sums = f.sum(0), both.T @ y
    safe = np.maximum(count, 1)
    covariance = f.T @ y - sums[0] * sums[1] / safe
    variance = ((f * f).sum(0) - sums[0] ** 2 / safe) * (both.T @ (y * y) - sums[1] ** 2 / safe)
    known_enough = (count >= MIN_ROWS) & (variance > 0)
    return np.divide(covariance, np.sqrt(np.maximum(variance, 0.0)), out=np.zeros(len(count)), where=known_enough)

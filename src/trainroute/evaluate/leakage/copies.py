"""Features that are a copy of a label whose window is not over: of their own target, or of a sibling.

At time t nobody knows y(t + k) for k > -h: its window ends after t. A feature whose rank correlation with such a label
is within a quarter of the way from perfect to what the *last completed* label y(t - h) shows, and at least 0.995, is a
copy. An honest feature that measures the past window has its peak at k = -h, not after it. The latest rows before the
holdout are looked at, at most 4,000 of a symbol.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.records.vocabulary import LeakageStatus

THRESHOLD = 0.995
MIN_ROWS = 200
_MAX_LAGS = 41
_MAX_ROWS = 4000
_NEARER_THAN_COMPLETED = 0.25


class NearCopies(LeakCheck):
    """Compares every feature with every target at lags whose label is still open: BLOCKED for all targets."""

    name: ClassVar[str] = "copies"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield one finding per copied feature, for the symbol, target and lag where the copy is closest."""
        best: dict[str, LeakFinding] = {}
        for rows in context.sampled_rows():
            end = context.before_holdout(rows).stop
            latest = slice(max(0, end - _MAX_ROWS), end)
            features, labels = _Ranked.of(rows.features[latest]), _Ranked.of(context.labels(rows, latest))
            for horizon in sorted({t.horizon_bars for t in context.panel.targets}):
                for found in self._compare(context, rows.symbol, features, labels, horizon):
                    known = best.get(found.feature)
                    if known is None or (found.statistic or 0.0) > (known.statistic or 0.0):
                        best[found.feature] = found
        yield from (best[feature] for feature in sorted(best))

    def _compare(
        self, context: LeakContext, symbol: str, features: "_Ranked", labels: "_Ranked", horizon: int
    ) -> Iterator[LeakFinding]:
        targets = context.panel.targets
        same = [i for i, target in enumerate(targets) if target.horizon_bars == horizon]
        own = labels.columns(same)
        lags = np.unique(np.r_[np.linspace(1 - horizon, horizon, _MAX_LAGS).round().astype(int), 0])
        correlation = np.abs(np.stack([_lagged_correlation(features, own, lag) for lag in lags]))
        completed = np.abs(_lagged_correlation(features, own, -horizon))
        peak = correlation.max(0)
        copied = (peak >= THRESHOLD) & (1 - peak < _NEARER_THAN_COMPLETED * (1 - completed))
        for i, j in np.argwhere(copied):
            lag, target = int(lags[correlation[:, i, j].argmax()]), targets[same[j]].name
            yield LeakFinding(
                check=self.name,
                feature=context.panel.features[i],
                target=None,
                status=LeakageStatus.BLOCKED,
                statistic=round(float(peak[i, j]), 6),
                threshold=THRESHOLD,
                rows=len(features.value),
                detail=f"copy of {target} {lag:+d} bars, whose window is still open ({symbol})",
            )


@dataclass(frozen=True)
class _Ranked:
    """Centred ranks per column in units of the row count, 0 where missing, and what is known; float32."""

    value: NDArray[np.float32]
    known: NDArray[np.float32]

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> "_Ranked":
        known = ~np.isnan(values)
        ranks = rankdata(values, axis=0, nan_policy="omit") / max(len(values), 1) - 0.5
        return cls(np.where(known, ranks, 0.0).astype(np.float32), known.astype(np.float32))

    def columns(self, index: list[int]) -> "_Ranked":
        return _Ranked(self.value[:, index], self.known[:, index])

    def rows(self, part: slice) -> "_Ranked":
        return _Ranked(self.value[part], self.known[part])


def _lagged_correlation(features: _Ranked, labels: _Ranked, lag: int) -> NDArray[np.float64]:
    """Correlation of each f(t) with each y(t + lag), shape (n_features, n_labels), over the rows that have both.

    0 below ``MIN_ROWS`` such rows.
    """
    n = len(features.value)
    f = features.rows(slice(max(0, -lag), n - max(0, lag)))
    y = labels.rows(slice(max(0, lag), n + min(0, lag)))
    count = (f.known.T @ y.known).astype(np.float64)
    safe = np.maximum(count, 1.0)
    sum_f, sum_y = f.value.T @ y.known, f.known.T @ y.value
    covariance = f.value.T @ y.value - sum_f * sum_y / safe
    variance_f = (f.value**2).T @ y.known - sum_f**2 / safe
    variance_y = f.known.T @ y.value**2 - sum_y**2 / safe
    scale = np.sqrt(np.maximum(variance_f, 0.0) * np.maximum(variance_y, 0.0))
    enough = (count >= MIN_ROWS) & (scale > 0)
    correlation: NDArray[np.float64] = np.divide(covariance, scale, out=np.zeros(count.shape), where=enough)
    return correlation

"""Features that know where the window of their label ends: the shape of skill over time, never its size.

1. Per target, filters of the label that honest skill cannot pass (`label_filters.py`), from the autocorrelation of the
   target's own ranks: one that looks only ahead, and two with combs of different length.
2. Per symbol and block of whole dates, the products of all features with all filtered labels: one matrix product.
3. Per feature and target, for all symbols together, for each half of the history, and for each symbol: the part of the
   label that is in the feature, with its error from the blocks. Both combs must agree, so that a look-back window that
   happens to end where one comb ends condemns nobody.
4. The finding needs three things: significance after counting every comparison made; that the part found accounts for
   half of the skill (`LEAST_SHARE`), peak at lag 0 included, so that a small misfit of an honest curve does not become
   a leak on long data; and that the same filter shows less at lags further ahead (a season repeats, a window does not).

Half of the error budget goes to all symbols together and to the halves, half to single symbols.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext, Sample
from trainroute.evaluate.leakage.label_filters import SHORTEST_HORIZON, Floats, LabelCurve
from trainroute.metrics import MIN_BLOCKS, assign_time_blocks, degrees_of_freedom, standard_errors
from trainroute.records.vocabulary import LeakageStatus

SKILL_BELOW = 0.01  # probability of any skill by chance in the whole panel
BLOCKED_BELOW = 0.001  # probability of the shape by chance, for a feature that has skill
SUSPECT_BELOW = 0.02
LEAST_SHARE = 0.5
MOST_SHARE = 2.0
SINGLE_SYMBOLS = 0.5  # of the error budget
WHOLE_HISTORY = 0.5  # of what is left
_COMBS = (2, 3)
_AGAINST = -1.0
_PLACEBO = 1.5
_PLACEBO_LAGS = np.arange(9, 21) / 2  # horizons ahead; the combs reach 3.5 back


@dataclass(frozen=True)
class _Part:
    """Sums of products over blocks for one part of the rows: (n_features, n_columns, n_blocks), and rows per block."""

    name: str
    symbol: str | None
    budget: float
    totals: Floats
    rows: Floats


@dataclass(frozen=True)
class _Filtered:
    """The filters of one target: skill itself, the peak at lag 0, ahead only, and the combs; one row of weights each."""

    target: int
    lags: NDArray[np.int64]
    weights: Floats

    @property
    def n_columns(self) -> int:
        return len(self.weights)

    def apply(self, labels: NDArray[np.float32]) -> Floats:
        """Filter a symbol's label, shape (n_rows, n_columns); beyond its ends it is 0."""
        n, reach = len(labels), int(np.abs(self.lags).max())
        padded = np.zeros(n + 2 * reach, np.float32)
        padded[reach : reach + n] = labels
        result = np.zeros((n, self.n_columns), np.float32)
        for lag, weights in zip(self.lags, self.weights.T, strict=True):
            result += padded[reach + lag : reach + lag + n, None] * weights.astype(np.float32)
        return result


class WindowShape(LeakCheck):
    """BLOCKED beyond doubt, SUSPECT on weaker evidence, per target; needs horizons of at least four bars."""

    name: ClassVar[str] = "window_shape"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield the clearest finding per (feature, target)."""
        targets = context.panel.targets
        n_tests = len(context.panel.features) * len(targets)
        for horizon in sorted({t.horizon_bars for t in targets if t.horizon_bars >= SHORTEST_HORIZON}):
            same = [i for i, t in enumerate(targets) if t.horizon_bars == horizon]
            yield from _Horizon(context, LabelCurve(horizon), same, n_tests).findings(self.name)


class _Horizon:
    def __init__(self, context: LeakContext, curve: LabelCurve, targets: list[int], n_tests: int) -> None:
        self.context = context
        self.curve = curve
        self.n_tests = n_tests
        self.samples = [s for s in context.samples if len(s.time_index) > 3 * MIN_BLOCKS]
        self.features = [s.features.unit() for s in self.samples]
        self.labels = [s.labels.columns(targets).unit() for s in self.samples]
        filtered = (self._filters(i, target) for i, target in enumerate(targets))
        self.filtered = [(i, f) for i, f in enumerate(filtered) if f is not None]

    def findings(self, check: str) -> Iterator[LeakFinding]:
        if not self.filtered:
            return
        best: dict[tuple[int, int], LeakFinding] = {}
        for part in self._parts():
            for (feature, target), finding in self._judge(check, part).items():
                known = best.get((feature, target))
                if known is None or _clarity(finding) > _clarity(known):
                    best[feature, target] = finding
        yield from (best[key] for key in sorted(best))

    def _filters(self, column: int, target: int) -> _Filtered | None:
        lags = self.curve.lags(max(_COMBS))
        autocorrelation = self._autocorrelation(column, int(lags[-1] - lags[0]))
        weights = [(lags == 0).astype(np.float64), np.zeros(len(lags))]
        for lag, weight in self.curve.comb(1):
            weights[1] += weight / (2 - 2 * autocorrelation[self.curve.half]) * (lags == lag)
        for teeth in (0, *_COMBS):
            found = self.curve.filter(autocorrelation, teeth)
            if found is None and teeth:
                return None
            row = np.zeros(len(lags))
            if found is not None:
                row[np.searchsorted(lags, self.curve.lags(teeth))] = found
            weights.append(row)
        return _Filtered(target, lags, np.array(weights))

    def _autocorrelation(self, column: int, longest: int) -> Floats:
        sums = np.zeros(longest + 1)
        for labels in self.labels:
            y = labels[:, column].astype(np.float64)
            size = 1 << (len(y) + longest).bit_length()
            product = np.fft.irfft(np.abs(np.fft.rfft(y, size)) ** 2, size)
            sums += product[: longest + 1]
        return sums / max(sums[0], 1e-12)

    def _parts(self) -> Iterator[_Part]:
        n_times = len(self.context.panel.timestamps)
        length = 3 * self.curve.horizon
        blocks = assign_time_blocks(n_times, length)
        n_blocks = int(blocks[-1]) + 1
        width = sum(f.n_columns for _, f in self.filtered)
        shape = len(self.context.panel.features), width, n_blocks
        together, together_rows = np.zeros(shape), np.zeros(n_blocks)
        for sample, features, labels in zip(self.samples, self.features, self.labels, strict=True):
            filtered = np.concatenate([f.apply(labels[:, i]) for i, f in self.filtered], axis=1)
            own, own_rows = np.zeros(shape), np.bincount(blocks[sample.time_index], minlength=n_blocks).astype(float)
            edges = np.searchsorted(blocks[sample.time_index], np.arange(n_blocks + 1))
            for block in np.flatnonzero(own_rows):
                rows = slice(edges[block], edges[block + 1])
                own[:, :, block] = features[rows].T @ filtered[rows]
            together += own
            together_rows += own_rows
            if len(self.samples) > 1:
                yield _Part(sample.symbol, sample.symbol, SINGLE_SYMBOLS / len(self.samples), own, own_rows)
        rest = 1 - SINGLE_SYMBOLS * (len(self.samples) > 1)
        yield _Part("all symbols", None, rest * WHOLE_HISTORY, together, together_rows)
        middle = int(np.searchsorted(np.cumsum(together_rows), together_rows.sum() / 2))
        for name, half in (("the first half", slice(0, middle)), ("the second half", slice(middle, None))):
            budget = rest * (1 - WHOLE_HISTORY) / 2
            yield _Part(f"all symbols, {name}", None, budget, together[:, :, half], together_rows[half])

    def _judge(self, check: str, part: _Part) -> dict[tuple[int, int], LeakFinding]:
        found: dict[tuple[int, int], LeakFinding] = {}
        n = float(part.rows.sum())
        if np.count_nonzero(part.rows) < MIN_BLOCKS:
            return found
        first = 0
        for place, f in self.filtered:
            columns = range(first, first + f.n_columns)
            first += f.n_columns
            totals = part.totals[:, columns]
            value = totals.sum(2) / n
            skill, sign = value[:, 0], np.sign(value[:, 0])
            error, degrees = _errors(totals, value, part.rows)
            t = np.divide(value * sign[:, None], error, out=np.zeros_like(value), where=error > 0)
            p = stdtr(degrees, -t)
            shape = p[:, 3:].max(1) / part.budget
            has_skill = 2 * p[:, 0] < SKILL_BELOW * part.budget / self.n_tests
            peak, amount = (value[:, 1] * sign), (value[:, 3:] * sign[:, None]).min(1)
            like_a_window = np.minimum(peak, amount) >= LEAST_SHARE * np.abs(skill)
            like_a_window &= amount <= MOST_SHARE * np.abs(skill)
            candidates = has_skill & (shape < SUSPECT_BELOW) & like_a_window & (t[:, 2] > _AGAINST)
            chosen = np.flatnonzero(candidates)
            repeated = self._repeated(part, place, f, chosen)
            for feature in chosen[np.abs(value[chosen, 3:]).min(1) > _PLACEBO * repeated]:
                blocked = shape[feature] < BLOCKED_BELOW
                target = self.context.panel.targets[f.target].name
                found[int(feature), f.target] = LeakFinding(
                    check=check,
                    feature=self.context.panel.features[feature],
                    target=target,
                    status=LeakageStatus.BLOCKED if blocked else LeakageStatus.SUSPECT,
                    statistic=float(f"{shape[feature]:.3g}"),
                    threshold=BLOCKED_BELOW if blocked else SUSPECT_BELOW,
                    rows=int(n),
                    detail=(
                        f"its skill for {target} of later rows falls as the windows overlap and ends at the horizon "
                        f"({part.name}; label inside: {sign[feature] * amount[feature]:+.3f} of {skill[feature]:+.3f})"
                    ),
                )
        return found

    def _repeated(self, part: _Part, place: int, f: _Filtered, chosen: NDArray[np.intp]) -> Floats:
        """Return the most that the filter shows for labels that start long after this one has ended."""
        lags = np.round(_PLACEBO_LAGS * self.curve.horizon).astype(int)
        sums, counts = np.zeros((len(lags), len(chosen), len(_COMBS))), np.zeros(len(lags))
        for sample, features, labels in zip(self.samples, self.features, self.labels, strict=True):
            if len(chosen) == 0 or part.symbol not in (None, sample.symbol):
                continue
            filtered, own = f.apply(labels[:, place])[:, 3:], features[:, chosen]
            for i, lag in enumerate(lags[lags < len(features) // 2]):
                sums[i] += own[:-lag].T @ filtered[lag:]
                counts[i] += len(features) - lag
        shown: Floats = np.abs(sums / np.maximum(counts, 1.0)[:, None, None]).min(2).max(0)
        return shown


def _errors(totals: Floats, value: Floats, rows: Floats) -> tuple[Floats, Floats]:
    influence = (totals - value[:, :, None] * rows) / rows.sum()
    flat = influence.reshape(-1, influence.shape[2])
    return standard_errors(flat).reshape(value.shape), degrees_of_freedom(flat).reshape(value.shape)


def _clarity(finding: LeakFinding) -> float:
    return (finding.threshold or 0.0) / max(finding.statistic or 0.0, 1e-300)

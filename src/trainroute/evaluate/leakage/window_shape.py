"""Features that know where the window of their label ends: the shape of skill over time, never its size.

1. Per target, filters of the label that honest skill cannot pass (`label_filters.py`), from the autocorrelation of the
   target's own ranks: one that looks only ahead, and two with combs of different length.
2. Per symbol and block of whole dates, the products of all features with all filtered labels: one matrix product.
3. Per feature and target, for each symbol, for all together and for each half of the history: the part of the label
   that is in the feature, with its error from the blocks. Part of the error budget goes to single symbols (`_parts`).
4. A finding needs all of these (`_judge`):
   a. skill at lag 0, with every comparison made counted (features x targets x parts);
   b. the shape, with the comparisons counted that have skill: both combs say that some of the label is in the feature,
      so that a look-back window that happens to end where one comb ends condemns nobody, and the filter that looks
      only ahead does not speak against it;
   c. the part found accounts for the skill (``LEAST_SHARE`` to ``MOST_SHARE`` of it), the peak at lag 0 included: a
      small misfit of an honest curve must not become a leak on long data; and it is not tiny (``LEAST_AMOUNT``);
   d. the filter shows less for labels that start after this one has ended, in all symbols together and as root mean
      square over them: a season repeats, a window does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from trainroute.errors import bounded
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.evaluate.leakage.label_filters import SHORTEST_HORIZON, Floats, LabelCurve
from trainroute.metrics import MIN_BLOCKS, assign_time_blocks, degrees_of_freedom, standard_errors
from trainroute.records.vocabulary import LeakageStatus

SKILL_BELOW = 0.05  # probability of any skill by chance in the whole panel
BLOCKED_BELOW = 0.002  # probability of the shape by chance, for a feature that has skill
SUSPECT_BELOW = 0.15
_SKILFUL = 10  # features with skill, times targets, from which on these probabilities are divided among them
LEAST_SHARE = 0.5
MOST_SHARE = 2.0
LEAST_AMOUNT = 0.07  # correlation; of all symbols together or as root mean square over them
SINGLE_SYMBOLS = 0.4  # of the error budget
WHOLE_HISTORY = 0.6  # of what is left
_COMBS = (2, 3)
_SKILL, _PEAK, _AHEAD, _COMB = 0, 1, 2, slice(3, None)  # the filters of a target, in this order
_AGAINST = -1.0
_SEES_LABEL = 0.25  # of what it is in the whole panel
_UNEQUAL = 1.5  # root mean square over symbols, in amounts of all together, from which on the symbols are named
_CLEAR = 2.0
_PLACEBO = 1.25
_PLACEBO_LAGS = np.arange(9, 21) / 2  # horizons ahead; the combs reach 2.5 back


@dataclass(frozen=True)
class _Part:
    """One part of the rows.

    Attributes
    ----------
    totals : ndarray of shape (n_features, n_columns, n_blocks)
        Sums of products of feature and filtered label.
    own : ndarray of shape (n_columns, n_blocks)
        The same for the label in place of the feature.
    rows : ndarray of shape (n_blocks,)
    """

    name: str
    symbol: str | None
    budget: float
    totals: Floats
    own: Floats
    rows: Floats

    def mean_and_error(self) -> tuple[Floats, Floats, Floats]:
        """Return how much of the label is in each feature, its standard error and degrees of freedom.

        The amount a is that of instrumental variables, the filtered label w as instrument of the label y: the sum of
        f w over that of y w; its influence is (f - a y) w over that sum (Wooldridge 2010, Econometric Analysis of Cross
        Section and Panel Data, ch. 5). What the label itself varies from block to block is no error of a.

        Returns
        -------
        tuple of ndarray of shape (n_features, n_columns)
            0 with an error of NaN where the filter does not see the label itself.
        """
        label = self.own.sum(1)
        sees = label > _SEES_LABEL * self.rows.sum()
        scale = np.where(sees, 1 / np.where(sees, label, 1.0), 0.0)
        amount = self.totals.sum(2) * scale
        influence = (self.totals - amount[:, :, None] * self.own) * scale[:, None]
        flat = influence.reshape(-1, influence.shape[2])
        return amount, standard_errors(flat).reshape(amount.shape), degrees_of_freedom(flat).reshape(amount.shape)


@dataclass(frozen=True)
class _Reading:
    """What one part says, each of shape (n_features, n_columns)."""

    part: _Part
    values: Floats
    errors: Floats
    degrees: Floats

    def of(self, columns: slice) -> "_Reading":
        """Return the reading of one target's filters."""
        return _Reading(self.part, self.values[:, columns], self.errors[:, columns], self.degrees[:, columns])

    def squares(self) -> Floats:
        """Return the squared values without what noise adds to them."""
        without: Floats = self.values**2 - np.nan_to_num(self.errors) ** 2
        return without

    def in_errors(self, sign: Floats) -> Floats:
        """Return the values in units of their errors, the sign of the skill taken out; 0 where there is no error."""
        signed = self.values * sign[:, None]
        t: Floats = np.divide(signed, self.errors, out=np.zeros_like(signed), where=self.errors > 0)
        return t


@dataclass(frozen=True)
class _Filters:
    """The filters of one target as rows of weights over ``lags``: skill itself, its peak, ahead only, the combs."""

    target: int
    column: int
    lags: NDArray[np.int64]
    weights: Floats

    def apply(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter a symbol's labels of shape (n_rows, n_targets); beyond its ends they are 0. (n_rows, n_filters)."""
        n, reach = len(labels), int(np.abs(self.lags).max())
        padded = np.zeros(n + 2 * reach, np.float32)
        padded[reach : reach + n] = labels[:, self.column]
        result = np.zeros((n, len(self.weights)), np.float32)
        for lag, weights in zip(self.lags, self.weights.T, strict=True):
            result += padded[reach + lag : reach + lag + n, None] * weights.astype(np.float32)
        return result


@dataclass(frozen=True)
class _Repeats:
    """The most that both combs show for labels that start long after this one has ended, each of shape (n_features,).

    ``mean`` over all symbols together; ``spread`` as root mean square over them, without what noise adds: seasons of
    different length in different symbols cancel in the mean.
    """

    mean: Floats
    spread: Floats


class WindowShape(LeakCheck):
    """BLOCKED beyond doubt, SUSPECT on weaker evidence, per target; needs horizons of at least four bars.

    A feature that ``leakage.registry`` calls SAFE is not judged: a calendar may know a window that ends with the label.
    """

    name: ClassVar[str] = "window_shape"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield the clearest finding per (feature, target)."""
        targets = context.panel.targets
        for horizon in sorted({t.horizon_bars for t in targets if t.horizon_bars >= SHORTEST_HORIZON}):
            same = [i for i, t in enumerate(targets) if t.horizon_bars == horizon]
            yield from _Horizon(context, LabelCurve(horizon), same).findings(self.name)


class _Horizon:
    """All features against the targets of one horizon."""

    def __init__(self, context: LeakContext, curve: LabelCurve, targets: list[int]) -> None:
        self.panel = context.panel
        self.curve = curve
        self.n_tests = len(context.panel.features) * len(context.panel.targets)
        registry = context.config.leakage.registry
        self.judged = np.array([registry.get(name) != "SAFE" for name in context.panel.features])
        self.samples = [s for s in context.samples if len(s.time_index) >= MIN_BLOCKS]
        self.features = [s.features.unit() for s in self.samples]
        self.labels = [s.labels.columns(targets).unit() for s in self.samples]
        filters = (self._filters(i, target) for i, target in enumerate(targets))
        self.filters = [f for f in filters if f is not None]

    def findings(self, check: str) -> Iterator[LeakFinding]:
        if not self.filters:
            return
        found_in: dict[tuple[int, int], list[LeakFinding]] = {}
        singles: list[_Reading] = []
        for part in self._parts():
            if np.count_nonzero(part.rows) < MIN_BLOCKS:
                continue
            reading = _Reading(part, *part.mean_and_error())
            if part.symbol is not None:
                singles.append(reading)
            for place, f in enumerate(self.filters):
                own = slice(place * len(f.weights), (place + 1) * len(f.weights))
                others = [] if part.symbol is not None else [single.of(own) for single in singles]
                for key, found in self._judge(check, f, reading.of(own), others):
                    found_in.setdefault(key, []).append(found)
        yield from (self._clearest(found_in[key]) for key in sorted(found_in))

    def _clearest(self, found: list[LeakFinding]) -> LeakFinding:
        """Return the clearest finding, with the symbols of all of them; none if one rests on all symbols alike."""
        clearest = min(found, key=lambda finding: finding.statistic or 0.0)
        symbols = {symbol for finding in found for symbol in finding.symbols}
        everywhere = len(symbols) == len(self.samples) or not all(finding.symbols for finding in found)
        return msgspec.structs.replace(clearest, symbols=() if everywhere else tuple(sorted(symbols)))

    def _filters(self, column: int, target: int) -> _Filters | None:
        lags = self.curve.lags(max(_COMBS))
        autocorrelation = self._autocorrelation(column, int(lags[-1] - lags[0]))
        weights = [(lags == 0).astype(np.float64), np.zeros(len(lags))]
        for lag, weight in self.curve.comb(1):
            weights[_PEAK] += weight / (2 - 2 * autocorrelation[self.curve.half]) * (lags == lag)
        for teeth in (0, *_COMBS):
            found = self.curve.filter(autocorrelation, teeth)
            if found is None and teeth:
                return None
            row = np.zeros(len(lags))
            if found is not None:
                row[np.searchsorted(lags, self.curve.lags(teeth))] = found
            weights.append(row)
        return _Filters(target, column, lags, np.array(weights))

    def _autocorrelation(self, column: int, longest: int) -> Floats:
        sums = np.zeros(longest + 1)
        for labels in self.labels:
            y = labels[:, column].astype(np.float64)
            size = 1 << (len(y) + longest).bit_length()
            sums += np.fft.irfft(np.abs(np.fft.rfft(y, size)) ** 2, size)[: longest + 1]
        correlation: Floats = sums / max(sums[0], 1e-12)
        return correlation

    def _parts(self) -> Iterator[_Part]:
        """Each symbol, then all of them, then each half of the history."""
        blocks = assign_time_blocks(len(self.panel.timestamps), 3 * self.curve.horizon)
        sampled = np.unique(np.concatenate([blocks[s.time_index] for s in self.samples]))
        starts, n_blocks = np.append(sampled, sampled[-1] + 1), len(sampled)
        shape = len(self.panel.features), sum(len(f.weights) for f in self.filters), n_blocks
        together, label_together, together_rows = np.zeros(shape), np.zeros(shape[1:]), np.zeros(n_blocks)
        several = len(self.samples) > 1
        for sample, features, labels in zip(self.samples, self.features, self.labels, strict=True):
            filtered = np.concatenate([f.apply(labels) for f in self.filters], axis=1)
            edges = np.searchsorted(blocks[sample.time_index], starts)
            label = labels[:, np.repeat([f.column for f in self.filters], filtered.shape[1] // len(self.filters))]
            own, own_label, own_rows = np.zeros(shape), np.zeros(shape[1:]), np.diff(edges).astype(np.float64)
            for block in np.flatnonzero(own_rows):
                rows = slice(edges[block], edges[block + 1])
                own[:, :, block] = features[rows].T @ filtered[rows]
                own_label[:, block] = np.einsum("ij,ij->j", label[rows], filtered[rows])
            together += own
            label_together += own_label
            together_rows += own_rows
            if several:
                budget = SINGLE_SYMBOLS / len(self.samples)
                yield _Part(sample.symbol, sample.symbol, budget, own, own_label, own_rows)
        rest = 1 - SINGLE_SYMBOLS * several
        yield _Part("all symbols", None, rest * WHOLE_HISTORY, together, label_together, together_rows)
        middle = int(np.searchsorted(np.cumsum(together_rows), together_rows.sum() / 2))
        for name, half in (("first", slice(0, middle)), ("second", slice(middle, None))):
            budget = rest * (1 - WHOLE_HISTORY) / 2
            halved = together[:, :, half], label_together[:, half], together_rows[half]
            yield _Part(f"the {name} half", None, budget, *halved)

    def _judge(
        self, check: str, f: _Filters, reading: _Reading, singles: list[_Reading]
    ) -> Iterator[tuple[tuple[int, int], LeakFinding]]:
        part = reading.part
        skill, sign = np.abs(reading.values[:, _SKILL]), np.sign(reading.values[:, _SKILL])
        signed, t = reading.values * sign[:, None], reading.in_errors(sign)
        p = stdtr(reading.degrees, -t)
        shape = p[:, _COMB].max(1) / part.budget
        amount = signed[:, _COMB].min(1)
        spread = np.mean([single.squares() for single in singles or [reading]], axis=0)[:, _COMB].max(1)
        skilful = 2 * p[:, _SKILL] < SKILL_BELOW * part.budget / self.n_tests
        counted = max(1.0, np.count_nonzero(skilful) * len(self.panel.targets) / _SKILFUL)
        candidates = (
            self.judged
            & skilful
            & (shape < SUSPECT_BELOW / counted)
            & (t[:, _AHEAD] > _AGAINST)
            & (np.minimum(amount, signed[:, _PEAK]) >= LEAST_SHARE * skill)
            & (amount <= MOST_SHARE * skill)
            & (np.maximum(spread, amount**2) >= LEAST_AMOUNT**2)
        )
        chosen = np.flatnonzero(candidates)
        target = self.panel.targets[f.target].name
        repeats = self._repeats(part, f, chosen, singles)
        most = np.sqrt(np.maximum(spread, amount**2))[chosen]
        ends = (amount[chosen] > _PLACEBO * repeats.mean) & (most > _PLACEBO * repeats.spread)
        for feature in chosen[ends].tolist():
            blocked = shape[feature] < BLOCKED_BELOW / counted
            where = part.name
            symbols: tuple[str, ...] = () if part.symbol is None else (part.symbol,)
            if spread[feature] > (_UNEQUAL * amount[feature]) ** 2:
                symbols = tuple(s.part.name for s in singles if s.in_errors(sign)[feature, _COMB].min() > _CLEAR)
                where += f", mostly {bounded(symbols)}" if symbols else ""
            yield (
                (feature, f.target),
                LeakFinding(
                    check=check,
                    feature=self.panel.features[feature],
                    target=target,
                    status=LeakageStatus.BLOCKED if blocked else LeakageStatus.SUSPECT,
                    statistic=float(f"{shape[feature]:.3g}"),
                    threshold=float(f"{(BLOCKED_BELOW if blocked else SUSPECT_BELOW) / counted:.3g}"),
                    rows=int(part.rows.sum()),
                    detail=(
                        f"its skill for later rows of {target} falls as the windows overlap and ends at the horizon: "
                        f"{amount[feature]:.3f} of {skill[feature]:.3f} is the label itself ({where})"
                    ),
                    symbols=symbols,
                ),
            )

    def _repeats(self, part: _Part, f: _Filters, chosen: NDArray[np.intp], singles: list[_Reading]) -> _Repeats:
        lags = np.round(_PLACEBO_LAGS * self.curve.horizon).astype(int)
        sums, counts = np.zeros((len(lags), len(chosen), len(_COMBS))), np.zeros(len(lags))
        noise = {single.part.symbol: single.errors[chosen, _COMB] ** 2 for single in singles}
        squares = []
        for sample, features, labels in zip(self.samples, self.features, self.labels, strict=True):
            if len(chosen) == 0 or part.symbol not in (None, sample.symbol):
                continue
            filtered, own = f.apply(labels)[:, _COMB], features[:, chosen]
            shown = np.zeros_like(sums)
            for i, lag in enumerate(lags[lags < len(features) // 2]):
                product = own[:-lag].T @ filtered[lag:]
                shown[i] = product / (len(features) - lag)
                sums[i] += product
                counts[i] += len(features) - lag
            if sample.symbol in noise:
                squares.append(shown**2 - np.nan_to_num(noise[sample.symbol]))
        mean = np.abs(sums[counts > 0] / counts[counts > 0, None, None]).min(2)
        square = np.mean(squares, axis=0).min(2) if squares else np.zeros((1, len(chosen)))
        return _Repeats(mean.max(0, initial=0.0), np.sqrt(square.max(0, initial=0.0)))

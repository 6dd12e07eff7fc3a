"""Panels with features of one kind: leaks that are known to be leaks, and honest features that look strong.

Time runs in bars. A feature of row t may use what is known at t; the label of row t is made of the bars t + 1 … t + h.
Every kind has its world: bars, and a hidden course that honest features may see.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from planted import panel_of, symbol_rows
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.stats import rankdata

from trainroute.panel import Panel
from trainroute.records.vocabulary import Task

Floats = NDArray[np.float64]
WARM = 400  # bars before the first row
AUC_OF_COPIES = (0.60, 0.70)


@dataclass(frozen=True)
class World:
    """One symbol. Bar ``WARM + t`` is the return over (t - 1, t] and known at row t, as is its ``hidden`` value."""

    rng: np.random.Generator
    horizon: int
    bars: Floats
    hidden: Floats
    label: Floats

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.label)

    def past(self, values: Floats, lookback: int) -> Floats:
        """Return the sum of the last ``lookback`` values, per row."""
        total = np.r_[0.0, np.cumsum(values)]
        end = WARM + 1 + np.arange(self.n)
        return total[end] - total[end - lookback]

    def now(self, values: Floats) -> Floats:
        """Return the values known at each row."""
        return values[WARM : WARM + self.n]


Course = Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]
Feature = Callable[[World, int], Floats]


@dataclass(frozen=True)
class Kind:
    """What is planted: bars and hidden course, the feature by number, and in which symbols (by place, of how many).

    ``alone``: only the first feature is of this kind, the others are noise.
    """

    name: str
    group: str
    course: Course
    feature: Feature
    label: str = "return"
    n_features: int = 10
    affected: Callable[[int, int], bool] = lambda _place, _n: True
    alone: bool = False
    horizons: tuple[int, ...] = (4, 12, 20)


def panel(kind: Kind, *, horizon: int, n_symbols: int, n_rows: int, binary: bool, seed: int) -> Panel:
    """Return a panel whose features are all of one kind; symbols that are not affected have noise instead."""
    rows = []
    for s in range(n_symbols):
        rng = np.random.default_rng((seed, s))
        bars, hidden = kind.course(rng, WARM + n_rows + horizon, horizon)
        world = World(rng, horizon, bars, hidden, _window_label(bars, horizon, n_rows, kind.label))
        if binary:
            world = replace(world, label=(world.label > np.median(world.label)).astype(np.float64))
        make = kind.feature if kind.affected(s, n_symbols) else noise
        makers = [noise if kind.alone and i else make for i in range(kind.n_features)]
        features = np.stack([maker(world, i) for i, maker in enumerate(makers)], 1)
        labels = world.label[:, None]
        rows.append(symbol_rows(f"S{s:03d}", features.astype(np.float32), labels.astype(np.float32), horizon))
    return panel_of(rows, [f"y_{horizon}d"], horizon, Task.BINARY if binary else Task.REGRESSION)


def _window_label(bars: Floats, horizon: int, n_rows: int, kind: str) -> Floats:
    values = np.abs(bars) if kind == "volatility" else bars
    windows = np.lib.stride_tricks.sliding_window_view(values[WARM + 1 :], horizon)[:n_rows]
    lowest: Floats = np.cumsum(windows, axis=1).min(1)
    return lowest if kind == "swing" else windows.sum(1)


def autoregression(rng: np.random.Generator, n: int, persistence: float) -> Floats:
    """Return a stationary AR(1) series of unit variance."""
    shocks = rng.normal(size=n) * np.sqrt(1 - persistence**2)
    shocks[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -persistence], shocks))


# Worlds: bars and a hidden course.


def white(rng: np.random.Generator, n: int, _horizon: int) -> tuple[Floats, Floats]:
    """Bars without memory."""
    return rng.normal(size=n), np.zeros(n)


def volatile(rng: np.random.Generator, n: int, _horizon: int) -> tuple[Floats, Floats]:
    """Bars with fat tails whose log volatility is a slow autoregression."""
    log_volatility = 0.5 * autoregression(rng, n, 0.98)
    return np.exp(log_volatility) * rng.standard_t(5, n), log_volatility


def driven(persistence: float, share: float) -> Course:
    """Bars of which a state known one bar before explains the share given of a window's variance."""

    def course(rng: np.random.Generator, n: int, horizon: int) -> tuple[Floats, Floats]:
        state = autoregression(rng, n, persistence)
        lags = np.arange(1, horizon)
        of_sum = horizon + 2 * float(((horizon - lags) * persistence**lags).sum())
        bars = np.sqrt(share / of_sum) * np.r_[0.0, state[:-1]] + np.sqrt((1 - share) / horizon) * rng.normal(size=n)
        return bars, state

    return course


def fast(rng: np.random.Generator, n: int, horizon: int) -> tuple[Floats, Floats]:
    """Bars that a signal without memory moves for a sixth of a horizon: a correlation of 0.38 with the window."""
    signal, reach = rng.normal(size=n), max(horizon // 6, 1)
    share = min(0.38 * np.sqrt(horizon / reach), 0.99)
    moved = np.asarray(lfilter(np.r_[0.0, np.ones(reach)] / np.sqrt(reach), [1.0], signal))
    return share * moved + np.sqrt(1 - share**2) * rng.normal(size=n), signal


def trending(rng: np.random.Generator, n: int, horizon: int) -> tuple[Floats, Floats]:
    """Bars that follow the mean of the last 2 h bars."""
    weight = 0.6 / (2 * horizon)
    return np.asarray(lfilter([1.0], np.r_[1.0, -weight * np.ones(2 * horizon)], rng.normal(size=n))), np.zeros(n)


def scheduled(rng: np.random.Generator, n: int, _horizon: int) -> tuple[Floats, Floats]:
    """Bars whose size triples at events about 40 bars apart; hidden: bars to the next one, known ahead."""
    events = np.cumsum(rng.integers(25, 56, size=n // 20))
    to_next = events[np.searchsorted(events, np.arange(n))] - np.arange(n)
    return np.where(to_next == 0, 4.0, 1.0) * rng.normal(size=n), to_next.astype(float)


def seasonal(rng: np.random.Generator, n: int, horizon: int) -> tuple[Floats, Floats]:
    """Bars with a season whose period, 1.5 to 12 horizons, differs from panel to panel; hidden: the season."""
    period = horizon * float(np.exp(rng.uniform(np.log(1.5), np.log(12))))
    season = np.sqrt(2) * np.sin(2 * np.pi * np.arange(n) / period)
    return 0.28 * season + rng.normal(size=n), season


# Leaks.


def noisy_copy(world: World, number: int) -> Floats:
    """Return the label plus noise; it tells the upper half of the labels from the lower with an AUC of 0.60 to 0.70."""
    low, high = AUC_OF_COPIES
    auc = low + (high - low) * ((number * 0.618) % 1.0)
    scaled = (world.label - world.label.mean()) / world.label.std()
    upper = rankdata(scaled, method="ordinal") > world.n / 2
    draws = world.rng.normal(size=world.n)

    def excess(scale: float) -> float:
        return _auc(scaled + scale * draws, upper) - auc

    return scaled + brentq(excess, 0.01, 40.0, xtol=0.01) * draws


def clear_copy(world: World, _number: int) -> Floats:
    """Return the label plus as much noise as leaves an AUC of about 0.9."""
    scaled = (world.label - world.label.mean()) / world.label.std()
    return scaled + 0.9 * world.rng.normal(size=world.n)


def late_copy(world: World, number: int) -> Floats:
    """Return a noisy copy from the middle of the history on, noise before."""
    copy = noisy_copy(world, number)
    return np.where(np.arange(world.n) < world.n // 2, copy.std() * world.rng.normal(size=world.n), copy)


def forward_filled(world: World, number: int) -> Floats:
    """Return the label of every m-th row, held until the next one."""
    step = 2 + number % (world.horizon - 1)
    return world.label[np.arange(world.n) // step * step]


def sibling(world: World, number: int) -> Floats:
    """Return the label under another name: rescaled, or in fewer steps."""
    if number % 2 == 0:
        return np.sinh(world.label / max(world.label.std(), 1e-9)) + number
    return np.digitize(world.label, np.unique(np.quantile(world.label, np.linspace(0.2, 0.8, 1 + number)))).astype(
        float
    )


def sorted_id(world: World, number: int) -> Floats:
    """Return row ids that were given after sorting by label."""
    return rankdata(world.label, method="ordinal") + 10_000.0 * number


def row_number(world: World, number: int) -> Floats:
    """Return a timestamp in units of its own."""
    return (number + 1.0) * np.arange(world.n) + 1000.0 * number


# Honest features.


def noise(world: World, number: int) -> Floats:
    """Return a series that has nothing to do with the label, white to nearly a random walk, some of them coarse."""
    x = autoregression(world.rng, world.n, (0.0, 0.5, 0.9, 0.98, 0.995)[number % 5])
    return np.round(x) if number % 7 == 6 else x


def bar_history(world: World, number: int) -> Floats:
    """Return what one computes from past bars: returns, volatilities, price levels, ratios, the last known label.

    Ten of them, then the same over other windows.
    """
    turn = number // 10
    size, h = np.abs(world.bars), max(int(world.horizon * (1.0, 0.5, 1.5, 2.0)[turn % 4]), 1)
    level, last = np.cumsum(world.bars), world.horizon + turn
    choices = (
        lambda: world.past(world.bars, 1 + turn),
        lambda: world.past(world.bars, h),
        lambda: world.past(world.bars, 3 * h),
        lambda: world.past(size, h),
        lambda: world.past(size, 4 * h),
        lambda: world.past(size, h) / world.past(size, 4 * h),
        lambda: world.now(level) + turn * world.rng.normal(size=world.n),
        lambda: world.now(level - np.asarray(lfilter([1 / h], [1.0, 1 / h - 1.0], level))),
        lambda: np.r_[np.full(last, np.nan), world.label[:-last]],
        lambda: np.arange(world.n) % (5.0 + turn),
    )
    return choices[number % len(choices)]()


def volatility_measure(world: World, number: int) -> Floats:
    """Return a past volatility: windows of several lengths, weighted means, rescaled."""
    size = np.abs(world.bars)
    if number % 3 == 0:
        return np.log(world.past(size, (5, 10, 20, 40)[number // 3 % 4]))
    if number % 3 == 1:
        decay = (0.8, 0.9, 0.95, 0.98)[number // 3 % 4]
        return world.now(np.asarray(lfilter([1 - decay], [1.0, -decay], size)))
    return world.past(size, world.horizon * (1, 2, 3, 4)[number // 3 % 4])


def state(world: World, _number: int) -> Floats:
    """Return the hidden course as it is."""
    return world.now(world.hidden)


def measured_state(world: World, number: int) -> Floats:
    """Return the hidden course with noise of 0.3 to 1.5 times its size."""
    return world.now(world.hidden) + (0.3, 0.6, 1.0, 1.5)[number % 4] * world.rng.normal(size=world.n)


def momentum(world: World, number: int) -> Floats:
    """Return the sum of the last 1/2 h to 4 h bars."""
    lookback = max(int(world.horizon * (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)[number % 6]), 1)
    return world.past(world.bars, lookback)


def event_flag(world: World, number: int) -> Floats:
    """Return what a calendar says: an event next bar, within 2 bars, half a horizon, two, three; bars to go."""
    to_next, h = world.hidden[WARM + 1 : WARM + 1 + world.n] + 1, world.horizon
    within = (1, 2, h // 2, 2 * h, 3 * h)
    return np.minimum(to_next, 30.0) if number % 6 == 5 else (to_next <= within[number % 6]).astype(float)


def season(world: World, number: int) -> Floats:
    """Return the season at some phase, with some noise for odd numbers."""
    return world.hidden[WARM - number : WARM - number + world.n] + (number % 2) * 0.5 * world.rng.normal(size=world.n)


def _auc(x: Floats, upper: NDArray[np.bool_]) -> float:
    n_upper = int(upper.sum())
    above = float(rankdata(x)[upper].sum()) - n_upper * (n_upper + 1) / 2
    return above / (n_upper * (len(x) - n_upper))


def _quarter(place: int, _n: int) -> bool:
    return place % 4 == 0


def _one(place: int, _n: int) -> bool:
    return place == 0


KINDS = (
    Kind("noisy copy of the label", "leak", white, noisy_copy),
    Kind("noisy copy, volatility label", "leak", volatile, noisy_copy, label="volatility"),
    Kind("noisy copy, swing label", "leak", white, noisy_copy, label="swing"),
    Kind("leak in a quarter of the symbols", "leak", white, noisy_copy, affected=_quarter),
    Kind("leak in one symbol", "leak", white, noisy_copy, affected=_one),
    Kind("leak from mid-history on", "leak", white, late_copy),
    Kind("forward fill of the label", "leak", white, forward_filled),
    Kind("sibling target", "leak", volatile, sibling),
    Kind("id given in order of the label", "leak", white, sorted_id),
    Kind("timestamp", "leak", white, row_number),
    Kind("nothing to do with the label", "ordinary", volatile, noise, n_features=50),
    Kind("computed from past bars, return label", "ordinary", volatile, bar_history, n_features=40),
    Kind("persistent volatility", "strong", volatile, volatility_measure, label="volatility"),
    Kind("fast, uncorrelated in time", "strong", fast, state),
    Kind("the one feature behind a target", "strong", driven(0.9, 0.34), state),
    Kind("noisy measurement of a persistent state", "strong", driven(0.98, 0.35), measured_state),
    Kind("momentum on overlapping windows", "strong", trending, momentum),
    Kind("scheduled-event flags", "strong", scheduled, event_flag, label="volatility"),
    Kind("strong season", "strong", seasonal, season),
    Kind("alone: persistent volatility", "strong", volatile, volatility_measure, "volatility", 4, alone=True),
    Kind("alone: fast, uncorrelated in time", "strong", fast, state, n_features=4, alone=True),
    Kind("alone: the one feature behind a target", "strong", driven(0.9, 0.34), state, n_features=4, alone=True),
    Kind("alone: momentum on overlapping windows", "strong", trending, momentum, n_features=4, alone=True),
    Kind("alone: strong season", "strong", seasonal, season, n_features=4, alone=True),
    Kind("noisy copy of a one-bar label", "not told", white, noisy_copy, horizons=(1,)),
    Kind(
        "alone: clear copy of a one-bar label", "not told", white, clear_copy, n_features=4, alone=True, horizons=(1,)
    ),
)

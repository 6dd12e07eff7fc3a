"""Worlds whose truth is known: panels with planted mechanisms, and what each side could reach in them.

1. A target is a `Mechanism`: it gives each symbol a signal of its features, or none. A leaky one has no signal, but a
   feature of its own that is a noisy copy of its label; the other targets see that feature too.
2. The signal at t moves the bar after t. A label is the sum of the next ``horizon`` bars, signal and noise, so labels
   overlap and depend on nothing but bars after their row; a share of the noise is common to all symbols on one date.
   The label is binary: above its quantile.
3. The truth of a (target, symbol) is the concordance that the pooled and the local model, trained on all rows before
   the holdout, are expected to have on fresh rows (`truth.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from planted import panel_of, symbol_rows
from scipy.signal import lfilter

from trainroute.panel import Panel

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class World:
    """What to plant.

    ``strength`` is the correlation of the signal at t with the label at t, ``tail_degrees`` are those of Student's t
    for the noise, ``positives`` is the share of ones, ``missing`` that of missing feature values, ``unequal`` that of
    symbols that start late.
    """

    mechanisms: tuple[str, ...]
    n_symbols: int = 40
    n_rows: int = 3000
    n_features: int = 30
    horizon: int = 12
    strength: float = 0.35
    persistence: float = 0.9
    common_noise: float = 0.3
    tail_degrees: float = np.inf
    positives: float = 0.5
    missing: float = 0.0
    unequal: float = 0.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A function of the features with mean 0 and variance 1 where features are standard normal; or nothing.

    ``linear`` are coefficients; ``absolute`` and ``product`` name columns; ``reversals`` is how often the sign turns
    over the history.
    """

    linear: Floats | None = None
    absolute: int | None = None
    product: tuple[int, int] | None = None
    reversals: int = 0

    @property
    def exists(self) -> bool:
        """Whether there is a signal."""
        return self.linear is not None or self.absolute is not None or self.product is not None

    def values(self, features: Floats) -> Floats:
        """Return the signal of each row."""
        if self.linear is not None:
            return features @ self.linear
        if self.absolute is not None:
            return (np.abs(features[:, self.absolute]) - np.sqrt(2 / np.pi)) / np.sqrt(1 - 2 / np.pi)
        if self.product is not None:
            return features[:, self.product[0]] * features[:, self.product[1]]
        return np.zeros(len(features))

    def signs(self, n_rows: int) -> Floats:
        """Return the sign that the signal has at each row of a history."""
        return 1.0 - 2.0 * (np.arange(n_rows) * (self.reversals + 1) // n_rows % 2)

    def autocorrelation(self, persistence: float, lags: NDArray[np.int64]) -> Floats:
        """Return the signal's autocorrelation where features are autoregressive and normal."""
        r = persistence**lags
        if self.absolute is not None:
            return (r * np.arcsin(r) + np.sqrt(1 - r**2) - 1) / (np.pi / 2 - 1)
        return r**2 if self.product is not None else r


def loadings(signal: Signal, world: World) -> tuple[float, float]:
    """Return what a label of unit variance holds of the signal's sum and of the noise's, scaled to unit variance.

    With c the signal's autocorrelation, the label's correlation with the signal is ``a sum c(j)``, j below the horizon,
    and the variance that the signal gives it ``a^2 sum c(|i - j|)``.

    Raises
    ------
    ValueError
        If no noise is small enough for the strength.
    """
    steps = np.arange(world.horizon)
    reach = float(signal.autocorrelation(world.persistence, steps).sum())
    between = np.abs(steps[:, None] - steps)
    variance = float(signal.autocorrelation(world.persistence, between).sum())
    a = world.strength / reach
    if a**2 * variance > 1:
        raise ValueError(f"strength {world.strength} is out of reach for persistence {world.persistence}")
    return a, float(np.sqrt(1 - a**2 * variance))


SHARED = 0.56
"""Share of the signal's variance that all symbols have in common where both sides are worth it."""

LEAK_NOISE = 1.8
"""Deviation of the noise in the copy of a binary label that a leaky target's only useful feature is."""

Mechanism = Callable[[np.random.Generator, int, int], list[Signal]]


def sparse_direction(rng: np.random.Generator, n_features: int) -> Floats:
    """Return random coefficients of unit length on about a third of the features."""
    beta = rng.normal(size=n_features) * (rng.random(n_features) < 0.3)
    if not beta.any():
        beta[int(rng.integers(n_features))] = 1.0
    return beta / np.linalg.norm(beta)


def _none(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    del rng, n_features
    return [Signal()] * n_symbols


def _pooled(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    return [Signal(linear=sparse_direction(rng, n_features))] * n_symbols


def _one_factor(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    beta = np.zeros(n_features)
    beta[int(rng.integers(n_features))] = 1.0
    return [Signal(linear=beta)] * n_symbols


def _local(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    return [Signal(linear=sparse_direction(rng, n_features)) for _ in range(n_symbols)]


def _both(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    shared = sparse_direction(rng, n_features)
    own = []
    for _ in range(n_symbols):
        beta = sparse_direction(rng, n_features)
        beta -= (beta @ shared) * shared
        own.append(Signal(linear=np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * beta / np.linalg.norm(beta)))
    return own


def _two_group(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    shared = Signal(linear=sparse_direction(rng, n_features))
    return [shared if s % 2 == 0 else Signal() for s in range(n_symbols)]


def _pooled_and_local(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    shared = Signal(linear=sparse_direction(rng, n_features))
    own = _local(rng, n_symbols, n_features)
    return [shared if s % 2 == 0 else own[s] for s in range(n_symbols)]


def _absolute(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    return [Signal(absolute=int(rng.integers(n_features)))] * n_symbols


def _interaction(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    first, second = rng.choice(n_features, 2, replace=False)
    return [Signal(product=(int(first), int(second)))] * n_symbols


def _leaky(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    return _none(rng, n_symbols, n_features)


def _reversing(rng: np.random.Generator, n_symbols: int, n_features: int) -> list[Signal]:
    return [replace(_pooled(rng, 1, n_features)[0], reversals=3)] * n_symbols


MECHANISMS: Mapping[str, Mechanism] = MappingProxyType(
    {
        "none": _none,
        "pooled": _pooled,
        "one_factor": _one_factor,
        "local": _local,
        "both": _both,
        "two_group": _two_group,
        "pooled_and_local": _pooled_and_local,
        "absolute": _absolute,
        "interaction": _interaction,
        "leaky": _leaky,
        "reversing": _reversing,
    }
)


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A panel and the signals behind it, ``signals[target][symbol]``; target names end in the horizon."""

    world: World
    panel: Panel
    signals: dict[str, list[Signal]]
    mechanism: dict[str, str]


def plant(world: World) -> Planted:
    """Build a panel with one target per mechanism; a mechanism may stand several times."""
    rng = np.random.default_rng(world.seed)
    n, h = world.n_rows, world.horizon
    names = [f"y_{name}_{i:03d}_{h}d" for i, name in enumerate(world.mechanisms)]
    drawn = [MECHANISMS[name](rng, world.n_symbols, world.n_features) for name in world.mechanisms]
    common = [_window_noise(rng, world) for _ in names]
    starts = np.where(rng.random(world.n_symbols) < world.unequal, rng.integers(0, n // 2, world.n_symbols), 0)
    rows = []
    for s in range(world.n_symbols):
        x = persistent_features(rng, n + h - 1, world.n_features, world.persistence)
        labels = np.stack([label_of(rng, world, drawn[i][s], x, common[i]) for i in range(len(names))], axis=1)
        leaks = [_leak(rng, labels[:, i]) for i, name in enumerate(world.mechanisms) if name == "leaky"]
        seen = np.column_stack([x[:n], *leaks]).astype(np.float32)
        seen[rng.random(seen.shape) < world.missing] = np.nan
        rows.append(symbol_rows(f"S{s:03d}", seen[starts[s] :], labels[starts[s] :], h, int(starts[s])))
    return Planted(
        world=world,
        panel=panel_of(rows, names, h),
        signals=dict(zip(names, drawn, strict=True)),
        mechanism=dict(zip(names, world.mechanisms, strict=True)),
    )


def persistent_features(rng: np.random.Generator, n_rows: int, n_features: int, persistence: float) -> Floats:
    """Return independent autoregressive features of unit variance, shape (n_rows, n_features)."""
    shocks = rng.normal(size=(n_rows, n_features)) * np.sqrt(1 - persistence**2)
    shocks[0] = rng.normal(size=n_features)
    return lfilter([1.0], [1.0, -persistence], shocks, axis=0)


def label_of(rng: np.random.Generator, world: World, signal: Signal, x: Floats, common: Floats) -> NDArray[np.float32]:
    """Return the labels of a history with features ``x`` of n_rows + horizon - 1 rows, and noise common to symbols."""
    latent = np.sqrt(world.common_noise) * common + np.sqrt(1 - world.common_noise) * _window_noise(rng, world)
    if signal.exists:
        moved, noise = loadings(signal, world)
        bars = signal.values(x) * signal.signs(len(x))
        latent = moved * _window_sums(bars, world.horizon) + noise * latent[: world.n_rows]
    return (latent > np.quantile(latent, 1 - world.positives)).astype(np.float32)


def _leak(rng: np.random.Generator, label: NDArray[np.float32]) -> Floats:
    """Return a noisy copy of a label: a feature that knows its window, with a concordance near 0.65."""
    return label + LEAK_NOISE * rng.normal(size=len(label))


def _window_sums(bars: Floats, horizon: int) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(bars)])
    return total[horizon:] - total[:-horizon]


def _window_noise(rng: np.random.Generator, world: World) -> Floats:
    """Return sums of the next ``horizon`` shocks, of unit variance, shape (n_rows,)."""
    n, h = world.n_rows, world.horizon
    if np.isinf(world.tail_degrees):
        shocks = rng.normal(size=n + h)
    else:
        degrees = world.tail_degrees
        shocks = rng.standard_t(degrees, size=n + h) * np.sqrt((degrees - 2) / degrees)
    return _window_sums(shocks, h)[:n] / np.sqrt(h)

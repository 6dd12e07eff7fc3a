"""Panels whose truth is known: which target is pooled, local, both, noise or leaky, and for which symbols.

Labels are averages of the next ``horizon`` bars of signal plus noise, so successive labels overlap; a share of the
noise is common to all symbols on one date.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from trainroute.panel import Panel, SymbolRows, Target
from trainroute.records.vocabulary import Task

DAY_US = 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to plant. ``strength`` is the correlation of signal and one-bar label where there is a signal."""

    n_symbols: int = 40
    n_rows: int = 3000
    n_features: int = 30
    horizon: int = 12
    strength: float = 0.35
    persistence: float = 0.9
    common_noise: float = 0.3
    seed: int = 0


KINDS = ("pooled", "local", "two_group", "noise")


def planted_panel(recipe: Recipe, kinds: tuple[str, ...] = KINDS) -> tuple[Panel, dict[str, NDArray[np.bool_]]]:
    """Return a panel with one binary target per kind, and per target which symbols have a signal."""
    rng = np.random.default_rng(recipe.seed)
    n, f, h = recipe.n_rows, recipe.n_features, recipe.horizon
    shared = {kind: _unit(rng.normal(size=f) * (rng.random(f) < 0.3)) for kind in kinds}
    has = {
        kind: np.array(
            [kind in ("pooled", "local") or (kind == "two_group" and s % 2 == 0) for s in range(recipe.n_symbols)]
        )
        for kind in kinds
    }
    common = {kind: rng.normal(size=n + h) for kind in kinds}
    rows = []
    for s in range(recipe.n_symbols):
        x = _persistent(rng, n + h, f, recipe.persistence)
        labels = []
        for kind in kinds:
            beta = _unit(rng.normal(size=f) * (rng.random(f) < 0.3)) if kind == "local" else shared[kind]
            signal = x @ beta if has[kind][s] else np.zeros(n + h)
            c = recipe.common_noise
            noise = np.sqrt(c) * common[kind] + np.sqrt(1 - c) * rng.normal(size=n + h)
            bar = recipe.strength * signal + np.sqrt(1 - recipe.strength**2) * noise * np.sqrt(h) / 2
            ahead = np.convolve(bar, np.ones(h) / h, "full")[h : h + n]
            labels.append((ahead > np.median(ahead)).astype(np.float32))
        rows.append(symbol_rows(f"S{s:03d}", x[:n].astype(np.float32), np.stack(labels, 1), h))
    return panel_of(rows, [f"y_{kind}_{h}d" for kind in kinds], h), {f"y_{k}_{h}d": has[k] for k in kinds}


def symbol_rows(
    symbol: str, features: NDArray[np.float32], targets: NDArray[np.float32], horizon: int, start: int = 0
) -> SymbolRows:
    """Return daily rows of a symbol from day ``start`` on, with labels that end ``horizon`` days ahead."""
    time = np.arange(start, start + len(features), dtype=np.int32)
    end = ((time.astype(np.int64) + horizon) * DAY_US)[:, None]
    return SymbolRows(symbol=symbol, time_index=time, features=features, targets=targets, label_end=end)


def panel_of(rows: list[SymbolRows], targets: list[str], horizon: int, task: Task = Task.BINARY) -> Panel:
    """Put rows of symbols together to a daily panel."""
    n_times = max(int(r.time_index[-1]) for r in rows) + 1
    classes = (0.0, 1.0) if task is Task.BINARY else ()
    return Panel(
        timestamps=np.arange(n_times, dtype=np.int64) * DAY_US,
        bar_interval_us=DAY_US,
        rows=tuple(rows),
        features=tuple(f"f{i:03d}" for i in range(rows[0].features.shape[1])),
        targets=tuple(
            Target(
                name=name,
                task=task,
                classes=classes,
                horizon_us=horizon * DAY_US,
                horizon_bars=horizon,
                horizon_index=0,
            )
            for name in targets
        ),
        fingerprint="planted",
    )


def _unit(beta: NDArray[np.float64]) -> NDArray[np.float64]:
    return beta / max(np.linalg.norm(beta), 1e-9)


def _persistent(rng: np.random.Generator, n: int, f: int, rho: float) -> NDArray[np.float64]:
    shocks = rng.normal(size=(n, f)) * np.sqrt(1 - rho**2)
    shocks[0] = rng.normal(size=f)
    return lfilter([1.0], [1.0, -rho], shocks, axis=0)

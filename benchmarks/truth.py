"""What each side could reach in a planted world, and which route is right.

1. The pooled and the local model are trained on all rows before the holdout: ridge at the best of a few penalties, and
   where a signal is not linear the better of two kinds of trees.
2. Their concordance is what they are expected to have on fresh rows: in closed form where signal, model and noise are
   normal and labels split at the median, else on many fresh rows.
3. A pair is ``none`` if neither side reaches its minimum score, ``either`` if both do and lie within ``EITHER`` of each
   other, else the better side that does. Pairs that a shift of ``NEAR`` would move to another class are listed apart.

Scores are what the product scores: concordance over pairs within one symbol and one test fold. For a linear model with
coefficients b and signal beta all depends on their cosine. A pair that is d bars apart has its predictions in order
with the probability that three normal variables (the difference of the predictions, one label, minus the other) are
all positive, ``1/8 + (asin r12 + asin r13 + asin r23) / 4 pi`` (Sheppard 1899), over that of its labels differing; the
correlations follow from the recipe in `worlds.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from worlds import Floats, Planted, Signal, World, label_of, loadings, persistent_features

from trainroute.config import Config
from trainroute.metrics import grouped_concordance

MIN_POOLED, MIN_LOCAL = 0.52, 0.53
EITHER = 0.01
NEAR = 0.005
_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
_FRESH_ROWS = 60_000
_HOLDOUT = 0.1
_COSINES = np.linspace(-1.0, 1.0, 81)
_TREES: dict[str, object] = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "num_threads": 1,
    "verbosity": -1,
    "seed": 0,
}
_KINDS_OF_TREES: tuple[dict[str, object], ...] = ({"num_iterations": 60}, {"num_iterations": 120, "extra_trees": True})
"""Greedy splits, and random ones, which find products whose factors alone say nothing."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Of one target; arrays of shape (n_symbols,): what each side, and the mean of both predictions, would score."""

    pooled: Floats
    local: Floats
    blend: Floats

    @property
    def classes(self) -> NDArray[np.str_]:
        """``none``, ``pooled``, ``local`` or ``either`` per symbol."""
        return classes(self.pooled, self.local)

    @property
    def near_boundary(self) -> NDArray[np.bool_]:
        """Whether a shift of ``NEAR`` of one side's score would change the class."""
        own = self.classes
        moved = [classes(self.pooled + d, self.local) for d in (-NEAR, NEAR)]
        moved += [classes(self.pooled, self.local + d) for d in (-NEAR, NEAR)]
        return np.any([other != own for other in moved], axis=0)


def classes(pooled: Floats, local: Floats) -> NDArray[np.str_]:
    """Return the right class of each pair of true scores."""
    pooled_ok, local_ok = pooled >= MIN_POOLED, local >= MIN_LOCAL
    either = pooled_ok & local_ok & (np.abs(pooled - local) <= EITHER)
    better_pooled = pooled_ok & (~local_ok | (pooled > local))
    return np.select([either, better_pooled, local_ok], ["either", "pooled", "local"], default="none")


def truths(planted: Planted) -> dict[str, Truth]:
    """Return the truth of every target."""
    world, panel = planted.world, planted.panel
    last = panel.timestamps[int(len(panel.timestamps) * (1 - _HOLDOUT))]
    own = slice(0, world.n_features)  # leaks come behind
    features = [
        np.nan_to_num(rows.features[rows.label_end[:, 0] < last, own]).astype(np.float64) for rows in panel.rows
    ]
    grams = [x.T @ x for x in features]
    found = {}
    for i, target in enumerate(panel.targets):
        signals = planted.signals[target.name]
        labels = [rows.targets[: len(x), i] - 0.5 for rows, x in zip(panel.rows, features, strict=True)]
        if all(signal.absolute is None and signal.product is None for signal in signals):
            found[target.name] = _linear_truth(world, signals, features, grams, labels)
        else:
            found[target.name] = _sampled_truth(world, signals, features, labels)
    return found


def _linear_truth(
    world: World, signals: list[Signal], features: list[Floats], grams: list[Floats], labels: list[NDArray[np.float32]]
) -> Truth:
    products = [x.T @ (y - y.mean()) for x, y in zip(features, labels, strict=True)]
    true = np.stack(
        [s.linear * s.signs(2)[-1] if s.linear is not None else np.zeros(world.n_features) for s in signals]
    )
    pooled = _best([np.tile(_ridge(sum(grams), sum(products), p), (len(signals), 1)) for p in _PENALTIES], true, world)
    local = _best(
        [np.stack([_ridge(g, c, p) for g, c in zip(grams, products, strict=True)]) for p in _PENALTIES], true, world
    )
    blend = _unit(pooled) + _unit(local)
    return Truth(
        pooled=_expected(pooled, true, world), local=_expected(local, true, world), blend=_expected(blend, true, world)
    )


def _ridge(gram: Floats, product: Floats, penalty: float) -> Floats:
    return np.linalg.solve(gram + penalty * np.trace(gram) / len(gram) * np.eye(len(gram)), product)


def _unit(coefficients: Floats) -> Floats:
    return coefficients / np.maximum(np.linalg.norm(coefficients, axis=1, keepdims=True), 1e-12)


def _best(candidates: list[Floats], true: Floats, world: World) -> Floats:
    return max(candidates, key=lambda coefficients: float(_expected(coefficients, true, world).mean()))


def _expected(coefficients: Floats, true: Floats, world: World) -> Floats:
    """Return the closed form for normal features and labels split at the median; else a draw of fresh folds."""
    cosine = (_unit(coefficients) * true).sum(1)
    if world.positives == 0.5 and np.isinf(world.tail_degrees):
        return np.interp(cosine, _COSINES, _scores_of_cosines(world))
    x = _fresh_features(world)
    return np.array(
        [
            _fresh_score(world, Signal(linear=beta) if beta.any() else Signal(), x, x @ b, s)
            for s, (b, beta) in enumerate(zip(coefficients, true, strict=True))
        ]
    )


@cache
def _scores_of_cosines(world: World) -> Floats:
    return np.array([score_within_folds(world, cosine) for cosine in _COSINES])


def score_within_folds(world: World, cosine: float) -> float:
    """Return the expected concordance over the pairs of a fold, of a linear model at a cosine to the signal."""
    signal = Signal(linear=np.ones(1))
    moved, noise = loadings(signal, world)
    steps, apart = np.arange(world.horizon), np.arange(1, _fold_rows(world))
    ahead = signal.autocorrelation(world.persistence, np.abs(steps + apart[:, None])).sum(1)
    behind = signal.autocorrelation(world.persistence, np.abs(steps - apart[:, None])).sum(1)
    now = float(signal.autocorrelation(world.persistence, steps).sum())
    between = np.abs(steps[:, None] - steps - apart[:, None, None])
    label = moved**2 * signal.autocorrelation(world.persistence, between).sum((1, 2))
    label += noise**2 * np.maximum(1 - apart / world.horizon, 0.0)
    spread = np.sqrt(2 * (1 - signal.autocorrelation(world.persistence, apart)))
    earlier, later = cosine * moved * (now - behind) / spread, cosine * moved * (now - ahead) / spread
    in_order = 1 / 8 + (np.arcsin(earlier) + np.arcsin(later) - np.arcsin(label)) / (4 * np.pi)
    differ = 1 / 4 - np.arcsin(label) / (2 * np.pi)
    weight = _fold_rows(world) - apart
    return float((weight * in_order).sum() / (weight * differ).sum())


def _fold_rows(world: World) -> int:
    return int(world.n_rows * (1 - _HOLDOUT) / Config().validation.n_blocks)


def _sampled_truth(
    world: World, signals: list[Signal], features: list[Floats], labels: list[NDArray[np.float32]]
) -> Truth:
    x = _fresh_features(world)

    def scores(predictions: list[Floats]) -> Floats:
        pairs = enumerate(zip(signals, predictions, strict=True))
        return np.array([_fresh_score(world, signal, x, prediction, s) for s, (signal, prediction) in pairs])

    def best(fits: Iterable[list[Floats]]) -> tuple[Floats, list[Floats]]:
        return max(((scores(fit), fit) for fit in fits), key=lambda found: float(found[0].mean()))

    every, label = np.concatenate(features), np.concatenate(labels)
    pooled, of_all = best([_trees(every, label, x, kind)] * len(signals) for kind in _KINDS_OF_TREES)
    local, of_own = best(
        [_trees(a, b, x, kind) for a, b in zip(features, labels, strict=True)] for kind in _KINDS_OF_TREES
    )
    blend = scores([a + b for a, b in zip(of_all, of_own, strict=True)])
    return Truth(pooled=pooled, local=local, blend=blend)


def _trees(features: Floats, labels: NDArray[np.float32], fresh: Floats, kind: dict[str, object]) -> Floats:
    import lightgbm  # noqa: PLC0415 - heavy library

    booster = lightgbm.train({**_TREES, **kind}, lightgbm.Dataset(features, labels + 0.5))
    return np.asarray(booster.predict(fresh, raw_score=True))


def _fresh_features(world: World) -> Floats:
    rng = np.random.default_rng(world.seed + 10_000)
    return persistent_features(rng, _FRESH_ROWS + world.horizon - 1, world.n_features, world.persistence)


def _fresh_score(world: World, signal: Signal, x: Floats, prediction: Floats, symbol: int) -> float:
    """Score a prediction for fresh rows within folds of the usual length; each symbol has labels of its own."""
    rng = np.random.default_rng((world.seed + 20_000, symbol))
    label = label_of(rng, replace(world, n_rows=_FRESH_ROWS, common_noise=0.0), signal, x, np.zeros(_FRESH_ROWS))
    fold = np.arange(_FRESH_ROWS) // _fold_rows(world)
    found = grouped_concordance(prediction[:_FRESH_ROWS], label, fold, int(fold[-1]) + 1)
    return float(np.nansum(found.score * found.pairs) / found.pairs.sum())

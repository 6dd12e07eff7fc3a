"""What each side could reach in a planted world, and which route is right.

1. The pooled and the local model are trained on all rows before the holdout: ridge at the best of a few penalties, and
   trees where a signal is not linear.
2. Their concordance is what they are expected to have on fresh rows: in closed form where signal, model and noise are
   normal and labels split at the median, else on many fresh rows.
3. A pair is ``none`` if neither side reaches its minimum score, ``either`` if both do and lie within ``EITHER`` of each
   other, else the better side that does. Pairs that a shift of ``NEAR`` would move to another class are listed apart.

For a linear model with coefficients b, signal beta and strength s the prediction and the latent label have the
correlation ``rho = s b.beta / (|b| |beta|)``, and for labels split at the median the concordance is
``1/2 + 2/pi asin(rho / sqrt 2)`` (the orthant probability of three normal variables, Sheppard 1899).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from worlds import Floats, Planted, Signal, World

from trainroute.metrics import concordance

MIN_POOLED, MIN_LOCAL = 0.52, 0.53
EITHER = 0.01
NEAR = 0.005
_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
_FRESH_ROWS = 20_000
_HOLDOUT = 0.1
_TREES = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.7,
    "num_threads": 1,
    "verbosity": -1,
    "seed": 0,
}
_ROUNDS = 60


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
    features = [np.nan_to_num(rows.features[rows.label_end[:, 0] < last]).astype(np.float64) for rows in panel.rows]
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
    true = np.stack([s.linear * s.signs(2)[-1] if s.linear is not None else np.zeros(world.n_features) for s in signals])
    pooled = _best([np.tile(_ridge(sum(grams), sum(products), p), (len(signals), 1)) for p in _PENALTIES], true, world)
    local = _best(
        [np.stack([_ridge(g, c, p) for g, c in zip(grams, products, strict=True)]) for p in _PENALTIES], true, world
    )
    blend = _unit(pooled) + _unit(local)
    return Truth(pooled=_expected(pooled, true, world), local=_expected(local, true, world), blend=_expected(blend, true, world))


def _ridge(gram: Floats, product: Floats, penalty: float) -> Floats:
    return np.linalg.solve(gram + penalty * np.trace(gram) / len(gram) * np.eye(len(gram)), product)


def _unit(coefficients: Floats) -> Floats:
    return coefficients / np.maximum(np.linalg.norm(coefficients, axis=1, keepdims=True), 1e-12)


def _best(candidates: list[Floats], true: Floats, world: World) -> Floats:
    return max(candidates, key=lambda coefficients: float(_expected(coefficients, true, world).mean()))


def _expected(coefficients: Floats, true: Floats, world: World) -> Floats:
    """Return the closed form for normal features and labels split at the median; else a draw of fresh rows."""
    if world.positives == 0.5 and np.isinf(world.tail_degrees):  # noqa: PLR2004 - the median
        rho = world.strength * (_unit(coefficients) * true).sum(1)
        return 0.5 + 2 / np.pi * np.arcsin(rho / np.sqrt(2))
    x = _fresh_features(world)
    return np.array(
        [
            _fresh_score(world, Signal(linear=beta) if beta.any() else Signal(), x, x @ b)
            for b, beta in zip(coefficients, true, strict=True)
        ]
    )


def _sampled_truth(
    world: World, signals: list[Signal], features: list[Floats], labels: list[NDArray[np.float32]]
) -> Truth:
    x = _fresh_features(world)
    every = _trees(np.concatenate(features), np.concatenate(labels), x)
    own = [_trees(a, b, x) for a, b in zip(features, labels, strict=True)]
    return Truth(
        pooled=np.array([_fresh_score(world, signal, x, every) for signal in signals]),
        local=np.array([_fresh_score(world, s, x, p) for s, p in zip(signals, own, strict=True)]),
        blend=np.array([_fresh_score(world, s, x, p + every) for s, p in zip(signals, own, strict=True)]),
    )


def _trees(features: Floats, labels: NDArray[np.float32], fresh: Floats) -> Floats:
    import lightgbm  # noqa: PLC0415 - heavy library

    booster = lightgbm.train(dict(_TREES), lightgbm.Dataset(features, labels + 0.5), num_boost_round=_ROUNDS)
    return np.asarray(booster.predict(fresh, raw_score=True))


def _fresh_features(world: World) -> Floats:
    return np.random.default_rng(world.seed + 10_000).normal(size=(_FRESH_ROWS, world.n_features))


def _fresh_score(world: World, signal: Signal, x: Floats, prediction: Floats) -> float:
    rng = np.random.default_rng(world.seed + 20_000)
    noise = rng.normal(size=len(x))  # a sum over the horizon: nearly normal whatever the tails of one bar
    latent = world.strength * signal.values(x) + np.sqrt(1 - world.strength**2) * noise if signal.exists else noise
    return concordance(prediction, (latent > np.quantile(latent, 1 - world.positives)).astype(np.float64))

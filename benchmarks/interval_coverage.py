"""Count how often 95 % intervals hold the truth.

    python benchmarks/interval_coverage.py [--replicates 1000] [--seed 0] [--cases REGEX]

Each case draws independent histories, scores each as the product does (concordance in test folds, influence summed over
blocks of whole dates, t interval) and counts how often the interval holds the expected score. Cases differ in what
makes errors dependent: persistent features, overlapping or persistent labels, volatility, rare events, common shocks.
"""

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.metrics import assign_time_blocks, block_length, block_totals, grouped_concordance, interval

Float = NDArray[np.float64]
Histories = Callable[[np.random.Generator, int, int], tuple[Float, Float]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A kind of history.

    Attributes
    ----------
    draw : callable
        ``draw(rng, n_histories, n_times)`` gives prediction and outcome, arrays of shape (n_histories, n_times).
    skill : bool
        Whether the prediction has any; without, the truth is 0.5, else the mean over histories.
    symbols : int
        Symbols whose scores are averaged into one; all are drawn at once, so that they can share shocks.
    """

    name: str
    draw: Histories
    n_times: int
    horizon: int
    folds: int
    skill: bool = False
    symbols: int = 1


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What was counted: intervals that hold the truth, histories without an interval, typical width and blocks."""

    covered: float
    without: float
    width: float
    blocks: float


def autoregressive(rng: np.random.Generator, persistence: float, shape: tuple[int, int]) -> Float:
    """Stationary series of unit variance; each value is ``persistence`` times the one before, plus noise."""
    noise = rng.normal(size=shape[::-1]) * np.sqrt(1 - persistence**2)
    noise[0] /= np.sqrt(1 - persistence**2)
    for t in range(1, len(noise)):
        noise[t] += persistence * noise[t - 1]
    return noise.T


def ahead(values: Float, horizon: int, n_times: int) -> Float:
    """Sum of the next ``horizon`` values at each time."""
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return total[:, horizon + 1 : horizon + 1 + n_times] - total[:, 1 : n_times + 1]


def overlapping(persistence: float, strength: float, horizon: int, *, rare: bool = False) -> Histories:
    """Draw a persistent feature and overlapping returns that it leads by ``strength``."""

    def draw(rng: np.random.Generator, n: int, n_times: int) -> tuple[Float, Float]:
        feature = autoregressive(rng, persistence, (n, n_times + horizon + 1))
        returns = rng.normal(size=feature.shape)
        returns[:, 1:] += strength * feature[:, :-1]
        label = ahead(returns, horizon, n_times)
        outcome = (label > np.quantile(label, 0.95)).astype(float) if rare else label
        return feature[:, :n_times], outcome

    return draw


def persistent(persistence: float, strength: float) -> Histories:
    """Draw a feature and an outcome that are both persistent."""

    def draw(rng: np.random.Generator, n: int, n_times: int) -> tuple[Float, Float]:
        feature = autoregressive(rng, persistence, (n, n_times))
        return feature, strength * feature + autoregressive(rng, persistence, (n, n_times))

    return draw


def volatile(persistence: float, horizon: int, *, honest: bool) -> Histories:
    """Draw high or low volatility of heavy-tailed returns, predicted by an unrelated feature or by past volatility."""

    def draw(rng: np.random.Generator, n: int, n_times: int) -> tuple[Float, Float]:
        shape = (n, n_times + horizon + 1)
        returns = np.exp(autoregressive(rng, persistence, shape) / 2) * rng.standard_t(4, shape)
        label = ahead(returns**2, horizon, n_times)
        if not honest:
            return autoregressive(rng, 0.9, shape)[:, :n_times], (label > np.median(label)).astype(float)
        past = np.abs(returns)
        for t in range(1, shape[1]):
            past[:, t] += 0.9 * past[:, t - 1]
        return past[:, :n_times], (label > np.median(label)).astype(float)

    return draw


def common_shocks(persistence: float, share: float, horizon: int, symbols: int) -> Histories:
    """Draw symbols that share ``share`` of the variance of feature and returns."""

    def draw(rng: np.random.Generator, n: int, n_times: int) -> tuple[Float, Float]:
        def panel(persistence: float) -> Float:
            shape = (n, n_times + horizon + 1)
            own = autoregressive(rng, persistence, shape)
            common = autoregressive(rng, persistence, (n // symbols, shape[1])).repeat(symbols, axis=0)
            return np.sqrt(share) * common + np.sqrt(1 - share) * own

        return panel(persistence)[:, :n_times], ahead(panel(0.0), horizon, n_times)

    return draw


CASES = (
    *(
        Case(
            name=f"feature {p}, label 12 bars, no skill", draw=overlapping(p, 0, 12), n_times=1500, horizon=12, folds=5
        )
        for p in (0.0, 0.5, 0.9, 0.98)
    ),
    *(
        Case(
            name=f"feature {p}, label 12 bars, skill",
            draw=overlapping(p, 0.05, 12),
            n_times=1500,
            horizon=12,
            folds=5,
            skill=True,
        )
        for p in (0.0, 0.9, 0.98)
    ),
    *(
        Case(name=f"feature and label {p}, no skill", draw=persistent(p, 0.0), n_times=6000, horizon=1, folds=f)
        for p, f in ((0.0, 5), (0.5, 5), (0.9, 5), (0.98, 1), (0.98, 5))
    ),
    Case(
        name="feature and label 0.98, skill", draw=persistent(0.98, 0.5), n_times=6000, horizon=1, folds=1, skill=True
    ),
    Case(name="volatility 0.98, no skill", draw=volatile(0.98, 12, honest=False), n_times=4500, horizon=12, folds=5),
    Case(
        name="volatility 0.98, skill",
        draw=volatile(0.98, 12, honest=True),
        n_times=4500,
        horizon=12,
        folds=5,
        skill=True,
    ),
    Case(name="5 % events, no skill", draw=overlapping(0.5, 0, 12, rare=True), n_times=4500, horizon=12, folds=5),
    *(
        Case(
            name=f"mean of 10 symbols, shared {s}",
            draw=common_shocks(0.9, s, 12, 10),
            n_times=1500,
            horizon=12,
            folds=5,
            symbols=10,
        )
        for s in (0.0, 0.5)
    ),
    *(
        Case(
            name=f"feature 0.98, label 12 bars, {'skill' if strength else 'no skill'}, long",
            draw=overlapping(0.98, strength, 12),
            n_times=4500,
            horizon=12,
            folds=5,
            skill=strength > 0,
        )
        for strength in (0, 0.05)
    ),
    Case(name="feature and label 0.98, no skill, long", draw=persistent(0.98, 0.0), n_times=15000, horizon=1, folds=5),
    Case(name="feature and label 0.98, short folds", draw=persistent(0.98, 0.0), n_times=1500, horizon=1, folds=5),
)


def coverage(case: Case, replicates: int, seed: int) -> Coverage:
    """Draw histories and count the intervals that hold the truth."""
    rng = np.random.default_rng(seed)
    scores, influences = [], []
    for start in range(0, replicates, 100):
        n = min(100, replicates - start)
        score, influence = _scored(case, *case.draw(rng, n * case.symbols, case.n_times))
        scores.append(score)
        influences.append(influence)
    score, influence = np.concatenate(scores), np.concatenate(influences)
    truth = score.mean() if case.skill else 0.5
    found = []
    for value, series in zip(score, influence, strict=True):
        blocks = assign_time_blocks(case.n_times, block_length(series, case.horizon))
        totals = block_totals(series, blocks, int(blocks[-1]) + 1)[0]
        found.append(interval(value, totals, n_folds=case.folds))
    held = [i.low <= truth <= i.high for i in found if not np.isnan(i.low)]
    reach = [(i.high - i.low) / 2 / (1.96 * score.std()) for i in found if not np.isnan(i.low)]
    return Coverage(
        covered=float(np.mean(held)) if held else float("nan"),
        without=1 - len(held) / replicates,
        width=float(np.median(reach)) if reach else float("nan"),
        blocks=float(np.median([i.n_blocks for i in found])),
    )


def _scored(case: Case, prediction: Float, outcome: Float) -> tuple[Float, Float]:
    """Score and influence by time of each history: the mean over its symbols, folds weighted by effective pairs."""
    n = len(prediction)
    fold = np.arange(case.n_times) * case.folds // case.n_times
    group = (np.arange(n)[:, None] * case.folds + fold).ravel()
    result = grouped_concordance(prediction.ravel(), outcome.ravel(), group, n * case.folds)
    weight = (result.pairs / np.maximum(result.rows, 1)).reshape(n, case.folds)
    weight /= weight.sum(axis=1, keepdims=True)
    score = (np.nan_to_num(result.score).reshape(n, -1) * weight).sum(axis=1)
    influence = result.influence.reshape(n, -1) * weight[:, fold]
    return (
        score.reshape(-1, case.symbols).mean(axis=1),
        influence.reshape(-1, case.symbols, case.n_times).mean(axis=1),
    )


def main() -> None:
    """Print a row per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", default="", help="only the cases whose name has a match of this")
    options = parser.parse_args()
    print("| persistence and kind | times | folds | blocks | covered | width | no interval |")
    print("|---|---|---|---|---|---|---|")
    start = time.perf_counter()
    for case in (case for case in CASES if re.search(options.cases, case.name)):
        found = coverage(case, options.replicates, options.seed)
        print(
            f"| {case.name} | {case.n_times} | {case.folds} | {found.blocks:.0f} | {found.covered:.1%} | "
            f"{found.width:.2f} | {found.without:.1%} |",
            flush=True,
        )
    error = np.sqrt(0.95 * 0.05 / options.replicates)
    print(
        f"\n{options.replicates} histories each, {time.perf_counter() - start:.0f} s; sampling error ± {2 * error:.1%}"
    )


if __name__ == "__main__":
    main()

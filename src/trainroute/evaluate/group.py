"""All evidence about the targets of one group: scores, stability, selected features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.config import Config
from trainroute.evaluate.design import LabelColumns, Scale
from trainroute.evaluate.leakage import Quarantine
from trainroute.evaluate.linear import masks
from trainroute.evaluate.scoring import TargetScores, score_target
from trainroute.evaluate.selection import select, strength
from trainroute.evaluate.snapshots import EarlierSnapshots, Key, spans
from trainroute.evaluate.stability import Snapshot, Stability, changed, classify, information
from trainroute.evaluate.statistics import Floats, Moments, Sums, TargetGroup
from trainroute.evaluate.walk import TestRows, fit_folds, predict, test_rows
from trainroute.panel import Panel, Target, WalkForward

N_SPANS = 5


@dataclass(frozen=True, kw_only=True)
class TargetEvidence:
    """Everything measured about one target.

    Attributes
    ----------
    scores : TargetScores
    horizon_steps : int
        How many of the panel's timestamps a label spans, as a median.
    score_with_suspect, score_with_quarantined : float
        Pooled score with the excluded SUSPECT features, and with all excluded ones; NaN where there are none.
    stability : dict
        By symbol; None is the pool.
    latest : dict
        The latest snapshot by (target, symbol or None).
    features : tuple of int
        Columns selected on all rows before the holdout, strongest first.
    strength : ndarray of shape (n_features,)
    rows_per_symbol : ndarray of shape (n_symbols,)
        Labelled rows before the holdout.
    """

    target: Target
    scores: TargetScores
    horizon_steps: int
    score_with_suspect: float
    score_with_quarantined: float
    stability: dict[str | None, Stability]
    latest: dict[Key, Snapshot]
    features: tuple[int, ...]
    strength: Floats
    rows_per_symbol: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class GroupInput:
    """A group's sums and what is needed to read them."""

    panel: Panel
    group: TargetGroup
    split: WalkForward
    scale: Scale
    columns: LabelColumns
    sums: Sums

    @property
    def targets(self) -> tuple[Target, ...]:
        """The group's targets."""
        return tuple(self.panel.targets[i] for i in self.group.targets)

    @property
    def owner(self) -> NDArray[np.intp]:
        """Which of the group's targets each of its label columns belongs to."""
        return np.concatenate([np.full(len(self.columns.of(t)), i) for i, t in enumerate(self.group.targets)])

    def all_training(self) -> Moments:
        """Return the moments per symbol of all rows before the holdout."""
        return self.sums.moments(0, len(self.split.boundaries) - 1)


def evaluate_group(
    data: GroupInput, kept_apart: Quarantine, top_m: int, config: Config, earlier: EarlierSnapshots
) -> list[TargetEvidence]:
    """Measure the targets of one group on the features that the quarantine leaves them."""
    own = list(data.group.targets)
    allowed, not_blocked = kept_apart.allowed[own], ~kept_apart.blocked[own]
    rows = test_rows(data.panel, data.group, data.split)
    scores = _scores(data, rows, allowed, top_m)
    with_suspect = _pooled_scores_with(data, rows, allowed, allowed | not_blocked, top_m)
    with_all = _pooled_scores_with(data, rows, allowed, np.ones_like(allowed), top_m)
    training = data.all_training()
    pooled = training.pooled()
    chosen = select(pooled, data.owner, allowed, top_m)
    merit = strength(pooled, data.owner)
    stability, latest = _stability(data, allowed, chosen, config, earlier)
    return [
        TargetEvidence(
            target=target,
            scores=scores[i],
            horizon_steps=_horizon_steps(data),
            score_with_suspect=with_suspect[i],
            score_with_quarantined=with_all[i],
            stability=stability[i],
            latest=latest[i],
            features=tuple(int(f) for f in np.argsort(-merit[i], kind="stable") if chosen[i, f]),
            strength=merit[i],
            rows_per_symbol=training.n.round().astype(np.int64),
        )
        for i, target in enumerate(data.targets)
    ]


def _scores(data: GroupInput, rows: TestRows, allowed: NDArray[np.bool_], top_m: int) -> list[TargetScores]:
    horizon_bars = max(t.horizon_bars for t in data.targets)
    fits = fit_folds(data.sums, data.split, data.owner, allowed, top_m, horizon_bars)
    predictions = predict(data.panel, rows, data.scale, fits)
    steps = _horizon_steps(data)
    scores = []
    for i, target in enumerate(data.targets):
        own = data.owner == i
        outcome = _outcome(data, rows, data.group.targets[i])
        if not allowed[i].any():
            outcome[:] = np.nan  # no safe feature: nothing is measured, instead of a score of one half
        scores.append(
            score_target(
                target,
                outcome,
                rows,
                predictions.pooled[:, own],
                predictions.local[:, own],
                predictions.local_trained,
                steps,
            )
        )
    return scores


def _pooled_scores_with(
    data: GroupInput, rows: TestRows, allowed: NDArray[np.bool_], more: NDArray[np.bool_], top_m: int
) -> list[float]:
    """Pooled scores with ``more`` features than are allowed; NaN for the targets where these are the same."""
    same = (more == allowed).all(1)
    if same.all():
        return [float("nan")] * len(data.targets)
    return [float("nan") if same[i] else found.score for i, found in enumerate(_scores(data, rows, more, top_m))]


def _outcome(data: GroupInput, rows: TestRows, target: int) -> NDArray[np.float64]:
    edges = np.searchsorted(rows.symbol, np.arange(rows.n_symbols + 1))
    parts = [symbol.targets[rows.position[edges[s] : edges[s + 1]], target] for s, symbol in enumerate(data.panel.rows)]
    return np.concatenate(parts).astype(np.float64)


def _horizon_steps(data: GroupInput) -> int:
    """Median number of panel timestamps that a label spans."""
    spans_of_labels = []
    for rows in data.panel.rows:
        end = np.searchsorted(data.panel.timestamps, rows.label_end[:, data.group.horizon_index])
        spans_of_labels.append(end - rows.time_index)
    return max(1, int(np.median(np.concatenate(spans_of_labels))))


def _stability(
    data: GroupInput,
    allowed: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    config: Config,
    earlier: EarlierSnapshots,
) -> tuple[list[dict[str | None, Stability]], list[dict[Key, Snapshot]]]:
    """Classify every target for the pool (None) and for each symbol."""
    names: tuple[str | None, ...] = (None, *data.panel.symbols)
    bounds = data.split.boundaries
    cuts = spans(len(bounds) - 1, N_SPANS)
    per_symbol = [data.sums.moments(a, b) for a, b in cuts]
    per_pool = [m.pooled() for m in per_symbol]
    h = data.targets[0].horizon_bars
    per_block = [data.sums.moments(b, b + 1) for b in range(len(bounds) - 1)]
    symbol_windows = np.stack([m.n for m in per_symbol]) / h
    pool_windows = symbol_windows.max(1, keepdims=True)
    block_windows = np.stack([m.n for m in per_block]) / h
    symbol_windows *= min(1.0, _information(per_block, block_windows))
    pooled_blocks = [m.pooled() for m in per_block]
    pool_windows *= min(float(len(names) - 1), _information(pooled_blocks, block_windows.max(1, keepdims=True)))
    change = np.concatenate(
        [_change(per_pool, pool_windows, data.owner, chosen), _change(per_symbol, symbol_windows, data.owner, chosen)]
    )
    windows = np.concatenate([pool_windows, symbol_windows], axis=1)
    correlations = [
        np.concatenate([p.correlation(), s.correlation()]) for p, s in zip(per_pool, per_symbol, strict=True)
    ]
    stability, latest = [], []
    for i, target in enumerate(data.targets):
        column = int(np.flatnonzero(data.owner == i)[-1])
        found: dict[str | None, Stability] = {}
        last: dict[Key, Snapshot] = {}
        for k, name in enumerate(names):
            own = [
                Snapshot(
                    start=int(bounds[a]),
                    end=int(bounds[b]),
                    importance=correlations[j][k, :, column],
                    windows=float(windows[j, k]),
                )
                for j, (a, b) in enumerate(cuts)
                if windows[j, k] > 0
            ]
            key = (target.name, name)
            snapshots = own + earlier.by_key.get(key, [])
            found[name] = classify(
                snapshots, allowed[i], change=bool(change[k, i]), rules=config.routing.stability_classification
            )
            if own:
                last[key] = own[-1]
        stability.append(found)
        latest.append(last)
    return stability, latest


def _information(per_block: list[Moments], windows: Floats) -> float:
    return information(np.stack([m.correlation()[:, :, 0] for m in per_block]), windows)


def _change(
    per_span: list[Moments], windows: Floats, owner: NDArray[np.intp], chosen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Evidence of change, shape (k, n_targets): in any label column of the target."""
    result = np.zeros((windows.shape[1], len(chosen)), np.bool_)
    for mask in masks(chosen[owner]):
        by_column = changed(per_span, windows, mask)
        for column in mask.columns:
            result[:, owner[column]] |= by_column[:, column]
    return result

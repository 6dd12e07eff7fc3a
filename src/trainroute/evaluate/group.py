"""All evidence about the targets of one group: scores, stability, selected features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainroute.config import Config
from trainroute.evaluate.evidence import TreeUse
from trainroute.evaluate.inputs import GroupInput
from trainroute.evaluate.leakage import Quarantine
from trainroute.evaluate.learning import Learning, effective_features
from trainroute.evaluate.linear import masks
from trainroute.evaluate.probes import Probed, probe
from trainroute.evaluate.scoring import TargetScores, score_target
from trainroute.evaluate.selection import select, strength
from trainroute.evaluate.snapshots import EarlierSnapshots, Key, spans
from trainroute.evaluate.stability import Snapshot, Stability, changed, classify, information
from trainroute.evaluate.statistics import Floats, Moments
from trainroute.panel import Target
from trainroute.parallel import in_threads

N_SPANS = 5
RIDGE = "Ridge"
TREES = "Trees"


@dataclass(frozen=True, kw_only=True)
class TargetEvidence:
    """Everything measured about one target.

    Attributes
    ----------
    scores : TargetScores
    learning : Learning
    trees : TreeUse
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
    effective_features : float
        Their effective rank.
    strength : ndarray of shape (n_features,)
    rows_per_symbol : ndarray of shape (n_symbols,)
        Labelled rows before the holdout.
    """

    target: Target
    scores: TargetScores
    learning: Learning
    trees: TreeUse
    horizon_steps: int
    score_with_suspect: float
    score_with_quarantined: float
    stability: dict[str | None, Stability]
    latest: dict[Key, Snapshot]
    features: tuple[int, ...]
    effective_features: float
    strength: Floats
    rows_per_symbol: NDArray[np.int64]

    @property
    def probes(self) -> tuple[str, ...]:
        """The probes that were tried."""
        return (RIDGE, TREES) if self.trees.models else (RIDGE,)


def evaluate_group(
    data: GroupInput, kept_apart: Quarantine, top_m: int, config: Config, earlier: EarlierSnapshots
) -> list[TargetEvidence]:
    """Measure the targets of one group on the features that the quarantine leaves them."""
    own = list(data.group.targets)
    allowed, not_blocked = kept_apart.allowed[own], ~kept_apart.blocked[own]
    trees = config.validation.tree_probes
    found = probe(data, allowed, top_m, trees=trees)
    scores = score_targets(data, found)
    learning = Learning.of(data, found.rows, found.predictions.local_trained)
    with_suspect = _pooled_scores_with(data, allowed, allowed | not_blocked, top_m, trees=trees)
    with_all = _pooled_scores_with(data, allowed, np.ones_like(allowed), top_m, trees=trees)
    training = data.all_training()
    pooled = training.pooled()
    chosen = select(pooled, data.owner, allowed, top_m)
    merit = strength(pooled, data.owner)
    stability, latest = _stability(data, allowed, chosen, config, earlier)
    return [
        TargetEvidence(
            target=target,
            scores=scores[i],
            learning=learning,
            trees=found.trees[i],
            horizon_steps=data.horizon_steps,
            score_with_suspect=with_suspect[i],
            score_with_quarantined=with_all[i],
            stability=stability[i],
            latest=latest[i],
            features=tuple(int(f) for f in np.argsort(-merit[i], kind="stable") if chosen[i, f]),
            effective_features=effective_features(pooled.xx[0][np.ix_(chosen[i], chosen[i])]),
            strength=merit[i],
            rows_per_symbol=training.n.round().astype(np.int64),
        )
        for i, target in enumerate(data.targets)
    ]


def score_targets(data: GroupInput, found: Probed) -> list[TargetScores]:
    """Score the predictions of every target of a group."""

    def score(i: int) -> TargetScores:
        return score_target(
            data.targets[i],
            found.outcomes[i],
            found.rows,
            found.predictions.pooled[:, data.owner == i],
            found.predictions.local[:, data.owner == i],
            found.predictions.local_trained,
            data.horizon_steps,
        )

    return in_threads(score, range(len(data.targets)))


def _pooled_scores_with(
    data: GroupInput,
    allowed: NDArray[np.bool_],
    more: NDArray[np.bool_],
    top_m: int,
    *,
    trees: bool,
) -> list[float]:
    """Pooled scores with ``more`` features than are allowed; NaN for the targets where these are the same."""
    same = (more == allowed).all(1)
    if same.all():
        return [float("nan")] * len(data.targets)
    scores = score_targets(data, probe(data, more, top_m, trees=~same if trees else False))
    return [float("nan") if same[i] else found.score for i, found in enumerate(scores)]


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
    per_symbol = in_threads(lambda cut: data.sums.moments(*cut), cuts)
    per_pool = [m.pooled() for m in per_symbol]
    h = data.targets[0].horizon_bars
    blocks = in_threads(lambda b: _block_correlations(data.sums.moments(b, b + 1)), range(len(bounds) - 1))
    own_blocks, pool_blocks, rows = (np.stack(part) for part in zip(*blocks, strict=True))
    symbol_windows = np.stack([m.n for m in per_symbol]) / h
    pool_windows = symbol_windows.max(1, keepdims=True)
    symbol_windows *= min(1.0, information(own_blocks, rows / h))
    pool_windows *= min(float(len(names) - 1), information(pool_blocks, rows.max(1, keepdims=True) / h))
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
        own = {
            name: [
                Snapshot(
                    start=int(bounds[a]),
                    end=int(bounds[b]),
                    importance=correlations[j][k, :, column],
                    windows=float(windows[j, k]),
                )
                for j, (a, b) in enumerate(cuts)
                if windows[j, k] > 0
            ]
            for k, name in enumerate(names)
        }
        histories = [own[name] + earlier.by_key.get((target.name, name), []) for name in names]
        rules = config.routing.stability_classification
        found = classify(histories, allowed[i], change=change[:, i], rules=rules)
        stability.append(dict(zip(names, found, strict=True)))
        latest.append({(target.name, name): snapshots[-1] for name, snapshots in own.items() if snapshots})
    return stability, latest


def _block_correlations(moments: Moments) -> tuple[Floats, Floats, Floats]:
    """Correlations of the features with the first label column, per symbol and pooled, and the symbols' rows."""
    return moments.correlation()[:, :, 0], moments.pooled().correlation()[:, :, 0], moments.n


def _change(
    per_span: list[Moments], windows: Floats, owner: NDArray[np.intp], chosen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Evidence of change, shape (k, n_targets): in any label column of the target."""
    by_column = changed(per_span, windows, masks(chosen[owner]))
    result = np.zeros((windows.shape[1], len(chosen)), np.bool_)
    np.logical_or.at(result.T, owner, by_column.T)
    return result

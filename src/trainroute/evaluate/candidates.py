"""Lay the evidence out as the routing candidates table: one row per target, one per (target, symbol)."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.evaluate.group import TargetEvidence
from trainroute.evaluate.posterior import TargetPosteriors
from trainroute.evaluate.stability import Stability
from trainroute.metrics import effective_windows, non_overlapping_events
from trainroute.panel import Panel, Target, WalkForward
from trainroute.records.candidates import COLUMNS, Candidates
from trainroute.records.vocabulary import LeakageStatus, Mode, Task

METRIC = "concordance"
_DECIMALS = 6


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    """Independent label windows, and non-overlapping events of the rarer class (None for regression)."""

    windows: float
    events: int | None


def candidates_table(rows: Sequence[Mapping[str, Any]]) -> Candidates:
    """Build the table from its rows; scores are rounded to 6 decimals, NaN becomes null."""
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    floats = [name for name, kind in COLUMNS.items() if kind == pl.Float64()]
    frame = frame.with_columns(pl.col(floats).fill_nan(None).round(_DECIMALS))
    return Candidates(frame=frame, provided=frozenset(COLUMNS))


def target_rows(
    panel: Panel,
    split: WalkForward,
    found: TargetEvidence,
    posteriors: TargetPosteriors,
    pooled_mean: float,
    pooled_p_skill: float,
    leakage: Mapping[str | None, LeakageStatus],
    shared: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the rows of one target: the pooled one first, then one per symbol.

    Parameters
    ----------
    pooled_mean, pooled_p_skill : float
        Of the posterior over all targets considered.
    leakage : mapping
        Status of the pooled row (None) and of each symbol (`leakage_statuses`).
    shared : mapping
        Columns that are equal on all rows: feature_set_id, n_targets_considered, timestamp, git_commit.
    """
    same = {
        "target": found.target.name,
        "task_type": found.target.task.value,
        "metric_name": METRIC,
        "horizon_minutes": found.target.horizon_minutes,
        "attempted_model_families": list(found.probes),
        **shared,
    }
    pool, own = _sizes(panel, split, found)
    rows = [_pooled_row(found, pooled_mean, pooled_p_skill, pool)]
    rows += [_symbol_row(panel, s, found, posteriors, own[s]) for s in range(len(panel.rows))]
    return [{**same, **row, "leakage_status": leakage[row["symbol"]].value} for row in rows]


def leakage_statuses(
    panel: Panel, found: TargetEvidence, suspects: Collection[str], suspect_score: float
) -> dict[str | None, LeakageStatus]:
    """Status of a target (None) and of each of its symbols after quarantine.

    BLOCKED without any feature that may be used; SUSPECT where a feature in use is suspected and nobody vouched for
    it, or where skill stays implausible; else SAFE. A symbol is judged by evidence in itself and by its own score, the
    target by that in any symbol and by the pooled score.

    Parameters
    ----------
    suspects : collection of str
        The symbols in which evidence against features in use lies.
    """
    if not found.features:
        return dict.fromkeys((None, *panel.symbols), LeakageStatus.BLOCKED)
    suspected: dict[str | None, bool] = {None: bool(suspects) or found.scores.score > suspect_score}
    for symbol, score in zip(panel.symbols, found.scores.local.value, strict=True):
        suspected[symbol] = symbol in suspects or bool(score > suspect_score)
    return {symbol: LeakageStatus.SUSPECT if yes else LeakageStatus.SAFE for symbol, yes in suspected.items()}


def _pooled_row(found: TargetEvidence, mean: float, p_skill: float, size: _Sizes) -> dict[str, Any]:
    scores = found.scores
    if not scores.pooled_measured:
        mean = p_skill = math.nan  # no evidence is null, not the prior
    return {
        "symbol": None,
        "mode": Mode.CROSS_SECTIONAL.value,
        "score": scores.score,
        "score_ci_low": scores.score_interval.low,
        "score_ci_high": scores.score_interval.high,
        "score_shrunk": mean,
        "p_skill": p_skill,
        "cs_score": scores.score,
        "cs_score_shrunk": mean,
        "p_cs_skill": p_skill,
        "cs_score_within_date": scores.within_date,
        **_stability_columns(found.stability[None]),
        "sample_size": int(found.rows_per_symbol.sum()),
        "n_eff": size.windows,
        "n_blocks": scores.score_interval.n_blocks,
        "minority_events": size.events,
        "failed_model_families": [] if scores.pooled_measured else list(found.probes),
    }


def _symbol_row(
    panel: Panel, s: int, found: TargetEvidence, posteriors: TargetPosteriors, size: _Sizes
) -> dict[str, Any]:
    symbol = panel.symbols[s]
    local, gap = found.scores.local, found.scores.difference
    measured = bool(local.measured[s])
    pooled_mean, pooled_p_skill = _pooled_on_symbol(found, posteriors, s)
    bounds = found.scores.local_intervals[s]
    return {
        "symbol": symbol,
        "mode": Mode.SYMBOL.value,
        "score": local.value[s],
        "score_ci_low": bounds.low if measured else None,
        "score_ci_high": bounds.high if measured else None,
        "score_shrunk": posteriors.local.mean[s] if measured else None,
        "p_skill": posteriors.local.p_above[s] if measured else None,
        "cs_score": found.scores.pooled.value[s],
        "cs_score_shrunk": pooled_mean,
        "p_cs_skill": pooled_p_skill,
        "delta_local": gap.value[s],
        "delta_local_se": float(gap.se[s]) if gap.measured[s] else None,
        "p_local_better": posteriors.difference.p_better[s] if gap.measured[s] else None,
        **_stability_columns(found.stability[symbol]),
        "sample_size": int(found.rows_per_symbol[s]),
        "n_eff": size.windows,
        "n_blocks": bounds.n_blocks if measured else 0,
        "minority_events": size.events,
        "failed_model_families": [] if measured else list(found.probes),
    }


def _pooled_on_symbol(found: TargetEvidence, posteriors: TargetPosteriors, s: int) -> tuple[float | None, float | None]:
    """Posterior mean and probability of skill of the pooled model on a symbol.

    A symbol without test rows has the target's prior predictive; one on which the predictions do not vary has a
    measured one half.
    """
    if not found.scores.pooled_measured:
        return None, None
    if found.scores.pooled.flat[s]:
        return 0.5, 0.0
    return float(posteriors.pooled.mean[s]), float(posteriors.pooled.p_above[s])


def _stability_columns(found: Stability) -> dict[str, Any]:
    return {
        "stability": found.category.value,
        "mean_overlap": found.mean_overlap,
        "std_overlap": found.std_overlap,
        "mean_tau": found.mean_tau,
        "std_tau": found.std_tau,
        "n_snapshots": found.n_snapshots,
    }


def _sizes(panel: Panel, split: WalkForward, found: TargetEvidence) -> tuple[_Sizes, list[_Sizes]]:
    """Return the sizes of the pool, which counts dates and not rows, and of each symbol; before the holdout."""
    target = found.target
    position = panel.targets.index(target)
    last = len(split.boundaries) - 1
    labels, times, own = [], [], []
    for rows in panel.rows:
        values = rows.targets[:, position]
        known = ~np.isnan(values) & (split.usable_from(rows.label_end[:, target.horizon_index]) <= last)
        labels.append(values[known])
        times.append(rows.time_index[known])
        own.append(_size(values[known], np.flatnonzero(known), target, target.horizon_bars))
    return _size(np.concatenate(labels), np.concatenate(times), target, found.horizon_steps), own


def _size(labels: NDArray[np.float32], time: NDArray[np.integer], target: Target, span: int) -> _Sizes:
    events = None
    if target.task is not Task.REGRESSION:
        classes = np.asarray(target.classes, np.float32)
        events = min(non_overlapping_events(time, labels == value, span) for value in classes)
    return _Sizes(windows=effective_windows(time, span), events=events)

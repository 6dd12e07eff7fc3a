"""Lay the evidence out as the routing candidates table: one row per target, one per (target, symbol)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.evaluate.group import TargetEvidence
from trainroute.evaluate.posterior import TargetPosteriors
from trainroute.evaluate.scoring import SideScores
from trainroute.evaluate.stability import Stability
from trainroute.metrics import effective_windows, non_overlapping_events
from trainroute.panel import Panel, Target, WalkForward
from trainroute.records.candidates import COLUMNS, Candidates
from trainroute.records.vocabulary import LeakageStatus, Mode, Task

PROBE = "Ridge"
METRIC = "concordance"
_DECIMALS = 6


def candidates_table(rows: Sequence[Mapping[str, Any]]) -> Candidates:
    """Build the table from its rows; scores are rounded to 6 decimals, NaN becomes null."""
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    floats = [name for name, kind in COLUMNS.items() if kind == pl.Float64()]
    frame = frame.with_columns(pl.col(floats).fill_nan(None).round(_DECIMALS))
    return Candidates(frame=frame.sort("target", "mode", "symbol", nulls_last=False), provided=frozenset(COLUMNS))


def target_rows(
    panel: Panel,
    split: WalkForward,
    found: TargetEvidence,
    posteriors: TargetPosteriors,
    pooled_mean: float,
    pooled_p_skill: float,
    shared: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the rows of one target: the pooled one first, then one per symbol.

    Parameters
    ----------
    pooled_mean, pooled_p_skill : float
        Of the posterior over all targets considered.
    shared : mapping
        Columns that are equal on all rows: feature_set_id, leakage_status, n_targets_considered, timestamp, git_commit.
    """
    same = {
        "target": found.target.name,
        "task_type": found.target.task.value,
        "metric_name": METRIC,
        "horizon_minutes": found.target.horizon_minutes,
        "attempted_model_families": [PROBE],
        **shared,
    }
    effective, events = _sizes(panel, split, found.target)
    return [
        {**same, **_pooled_row(found, pooled_mean, pooled_p_skill, events)},
        *(
            {**same, **_symbol_row(panel, s, found, posteriors, effective[s], events[s])}
            for s in range(len(panel.rows))
        ),
    ]


def leakage_status(n_allowed: int, score: float, suspect_score: float) -> LeakageStatus:
    """Status of a target after quarantine: BLOCKED without any safe feature, SUSPECT where skill stays implausible."""
    if n_allowed == 0:
        return LeakageStatus.BLOCKED
    return LeakageStatus.SUSPECT if score > suspect_score else LeakageStatus.SAFE


def _pooled_row(found: TargetEvidence, mean: float, p_skill: float, events: Sequence[int | None]) -> dict[str, Any]:
    scores = found.scores
    if not math.isfinite(scores.score):
        mean = p_skill = math.nan  # no evidence is null, not the prior
    counted = [e for e in events if e is not None]
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
        "n_eff": float(found.rows_per_symbol.max(initial=0)) / found.target.horizon_bars,
        "n_blocks": scores.score_interval.n_blocks,
        "minority_events": sum(counted) if counted else None,
        "failed_model_families": [] if math.isfinite(scores.score) else [PROBE],
    }


def _symbol_row(
    panel: Panel, s: int, found: TargetEvidence, posteriors: TargetPosteriors, effective: float, events: int | None
) -> dict[str, Any]:
    symbol = panel.symbols[s]
    local, gap = found.scores.local, found.scores.difference
    measured = math.isfinite(local.value[s])
    served = math.isfinite(found.scores.score)  # a symbol without rows has the target's prior predictive
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
        "cs_score_shrunk": posteriors.pooled.mean[s] if served else None,
        "p_cs_skill": posteriors.pooled.p_above[s] if served else None,
        "delta_local": gap.value[s],
        "delta_local_se": _standard_error(gap, s),
        "p_local_better": posteriors.difference.p_better[s] if measured else None,
        **_stability_columns(found.stability[symbol]),
        "sample_size": int(found.rows_per_symbol[s]),
        "n_eff": effective,
        "n_blocks": bounds.n_blocks if measured else 0,
        "minority_events": events,
        "failed_model_families": [] if measured else [PROBE],
    }


def _standard_error(side: SideScores, s: int) -> float | None:
    return float(side.se[s]) if math.isfinite(side.value[s]) else None


def _stability_columns(found: Stability) -> dict[str, Any]:
    return {
        "stability": found.category.value,
        "mean_overlap": found.mean_overlap,
        "std_overlap": found.std_overlap,
        "mean_tau": found.mean_tau,
        "std_tau": found.std_tau,
        "n_snapshots": found.n_snapshots,
    }


def _sizes(panel: Panel, split: WalkForward, target: Target) -> tuple[list[float], list[int | None]]:
    """Return independent windows and non-overlapping events of the rarer class, per symbol, before the holdout."""
    position = panel.targets.index(target)
    last = len(split.boundaries) - 1
    windows, events = [], []
    for rows in panel.rows:
        labels = rows.targets[:, position]
        known = ~np.isnan(labels) & (split.usable_from(rows.label_end[:, target.horizon_index]) <= last)
        time = np.flatnonzero(known)
        windows.append(effective_windows(time, target.horizon_bars))
        events.append(_rarest(labels[known], time, target))
    return windows, events


def _rarest(labels: NDArray[np.float32], time: NDArray[np.int64], target: Target) -> int | None:
    if target.task is Task.REGRESSION:
        return None
    classes = np.asarray(target.classes, np.float32)
    return min(non_overlapping_events(time, labels == value, target.horizon_bars) for value in classes)

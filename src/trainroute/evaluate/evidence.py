"""What the evaluation hands over: candidates, feature sets, ranking, leak findings."""

from dataclasses import dataclass

import polars as pl

from trainroute.records.candidates import Candidates
from trainroute.records.plan import FeatureSet, Record
from trainroute.records.vocabulary import LeakageStatus

EVIDENCE_SCHEMA_VERSION = 1


class LeakFinding(Record, frozen=True, kw_only=True):
    """What one leak check found about one feature; ``target`` None: for every target.

    ``statistic`` was compared with ``threshold`` on ``rows`` rows. ``symbols`` are those in which the evidence lies;
    empty: in all that were looked at.
    """

    check: str
    feature: str
    target: str | None
    status: LeakageStatus
    statistic: float | None
    threshold: float | None
    rows: int
    detail: str
    symbols: tuple[str, ...] = ()


class TreeUse(Record, frozen=True, kw_only=True):
    """What the race of probes gave a target (``evaluate/racing.py``).

    ``models`` were trained, ``models_without_race`` would have been for every fold and symbol. ``pooled_folds`` and
    ``local_folds`` count the test folds that are scored by the predictions of trees.
    """

    models: int = 0
    models_without_race: int = 0
    pooled_folds: int = 0
    local_folds: int = 0


class TargetRank(Record, frozen=True, kw_only=True):
    """One target's place. ``predictability`` is the mean of the better side's posterior mean over symbols.

    ``score`` is the pooled score, ``score_shrunk`` its posterior mean over all targets. ``score_with_suspect`` is the
    pooled score with the SUSPECT features that were left out, ``score_with_quarantined`` with all that were; None where
    there are none.
    """

    rank: int
    target: str
    predictability: float | None
    score: float | None
    score_shrunk: float | None
    score_with_suspect: float | None
    score_with_quarantined: float | None
    trees: TreeUse
    selected: bool
    reason: str


class FeatureImportance(Record, frozen=True, kw_only=True):
    """How strongly a selected feature goes with a target: absolute within-symbol correlation on the training rows."""

    feature: str
    strength: float


class SnapshotBasis(Record, frozen=True, kw_only=True):
    """Which snapshots of earlier runs could count for a measurement.

    ``eligible``: file name to hash of its content. ``data_end`` and ``shortest_horizon`` in µs. Evidence holds as long
    as the same files are eligible.
    """

    fingerprint: str
    data_end: int
    shortest_horizon: int
    eligible: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The result of `evaluate_panel`.

    ``importances``: per target the selected features, strongest first. ``snapshots``: this run's latest, for runs to
    come; ``earlier_snapshots``: the files of earlier runs that the stability was measured against, of those that
    ``basis`` names.
    """

    candidates: Candidates
    feature_sets: dict[str, FeatureSet]
    ranking: tuple[TargetRank, ...]
    importances: dict[str, tuple[FeatureImportance, ...]]
    leakage: tuple[LeakFinding, ...]
    snapshots: pl.DataFrame
    earlier_snapshots: tuple[str, ...]
    basis: SnapshotBasis
    from_cache: bool = False

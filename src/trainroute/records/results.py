"""What training ended in: a row per job × family, the manifest of each model, the report of the run."""

from enum import StrEnum
from typing import Any

from trainroute.records.plan import Record
from trainroute.records.vocabulary import RouteState, Stage, Task, TrainingType

TRAINING_REPORT_SCHEMA_VERSION = 2
MODEL_MANIFEST_SCHEMA_VERSION = 2


class FamilyState(StrEnum):
    """State of one job × family in the ledger."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_PLANNED = "not_planned"


class FailureKind(StrEnum):
    """How a fit failed."""

    REFUSED = "refused"
    """The family says that its rows cannot teach it, such as too few of them; another attempt would end the same."""
    ERROR = "error"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    DIED = "died"
    """Its worker process ended by itself, or was killed from outside."""
    MISSING_LIBRARY = "missing_library"
    UNWRITABLE = "unwritable"
    """Something is in the way where its model belongs; another attempt would end the same."""
    DISK_FULL = "disk_full"
    """Its model could not be written; the whole run stops."""


class FamilyResult(Record, frozen=True, kw_only=True):
    """One job × family.

    ``score`` is the concordance on the final holdout in [0, 1] (0.5 = no skill), None where it cannot be measured;
    ``scored_rows`` are the rows that it was measured on; ``expected_score`` is what routing expected of the job.
    ``seconds`` and ``peak_memory_bytes`` are of the last attempt. ``artifact`` is relative to the output directory.
    ``reason`` says why there is no model, or no score; ``failure`` is the kind of the last failure. ``resumed``: the
    model of an earlier run was kept.
    """

    job_id: str
    family: str
    stage: Stage
    state: FamilyState
    target: str
    symbol: str | None = None
    route: RouteState
    attempts: int = 0
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    score: float | None = None
    scored_rows: int | None = None
    expected_score: float | None = None
    artifact: str | None = None
    reason: str | None = None
    failure: FailureKind | None = None
    resumed: bool = False


class SymbolScore(Record, frozen=True, kw_only=True):
    """Concordance of one symbol on the holdout; ``score`` is None where no pair of rows can be compared."""

    score: float | None
    pairs: float
    rows: int


class TrainingWindow(Record, frozen=True, kw_only=True):
    """The rows that a model has seen.

    ``first`` and ``last`` are their timestamps, ``last_label_end`` the end of the latest label (µs since 1970, UTC).
    ``validation_rows`` of the ``rows`` decided when to stop or how to weigh; ``purged_rows`` were left out because
    their label reaches into the validation rows or the holdout.
    """

    first: int
    last: int
    last_label_end: int
    rows: int
    validation_rows: int
    purged_rows: int


class HoldoutScores(Record, frozen=True, kw_only=True):
    """How a model did on the final holdout: per symbol, and their mean by effective pairs (pairs per row)."""

    start: int
    rows: int
    score: float | None
    symbols: dict[str, SymbolScore]


class ModelManifest(Record, frozen=True, kw_only=True):
    """``manifest.json`` of a model: what it is, what it read, how it did, and the hash of each of its files.

    ``features`` stand in the order of the model's columns; ``feature_set_id`` names the set, also one that was chosen
    at training time for a plan that names none. ``classes`` are the label values of its outputs, ascending.
    ``inputs`` are hashes of all that decided the model, by what it is; ``--resume`` keeps a model whose inputs are
    those of today. Nothing in the manifest depends on the time or the place of the run.
    """

    schema_version: int
    plan_id: str
    job_id: str
    target: str
    symbol: str | None
    training_type: TrainingType
    family: str
    task: Task
    classes: tuple[float, ...]
    features: tuple[str, ...]
    feature_set_id: str | None = None
    preprocessing: dict[str, str]
    training_symbols: tuple[str, ...]
    window: TrainingWindow
    holdout: HoldoutScores
    hyperparameters: dict[str, float | int | str | bool | None]
    details: dict[str, float | int | str]
    seed: int
    inputs: dict[str, str]
    data_fingerprint: str
    versions: dict[str, str]
    files: dict[str, str]


class FamilyCounts(Record, frozen=True, kw_only=True):
    """How the jobs of one family ended, and what they took.

    ``planned`` = ``executed`` (trained in this run) + ``resumed`` (a model of an earlier run was kept) + ``failed`` +
    ``skipped`` (a library is not installed) + ``not_run`` (the run ended before them).
    """

    planned: int = 0
    executed: int = 0
    resumed: int = 0
    failed: int = 0
    skipped: int = 0
    not_run: int = 0
    not_planned: int = 0
    seconds: float = 0.0
    peak_memory_bytes: int = 0


class Interval(Record, frozen=True, kw_only=True):
    """An estimate with the ends of its 95 % interval; these are None where there are too few targets for one."""

    estimate: float
    low: float | None = None
    high: float | None = None


class RouteSkill(Record, frozen=True, kw_only=True):
    """What routing expected of the models of one route, and what they did on the holdout.

    Means over models, weighted by ``scored_rows``. ``difference`` is realised minus expected. ``slope`` and
    ``intercept`` are of the line *realised − 0.5 = intercept + slope × (expected − 0.5)*: 1 and 0 where routing expects
    right; None where the expected scores do not differ. Intervals hold the models of one target for dependent.
    """

    models: int
    targets: int
    expected_score: float
    realised_score: float
    difference: Interval
    slope: Interval | None = None
    intercept: Interval | None = None


class FailureSummary(Record, frozen=True, kw_only=True):
    """How many pairs ended in one kind of failure, the first of them, and what to do about it."""

    pairs: int
    example: str
    advice: str


class TrainingReport(Record, frozen=True, kw_only=True):
    """``globals/training_report.json``.

    ``planned``, ``executed`` and ``resumed`` count job × family; every one that was planned and has no model is in
    ``gaps`` as ``job_id × family: state: reason``. ``stopped`` says why the run ended early. ``routes`` has an entry
    ``all`` where there are several. ``failures`` are by kind. ``trained_again`` are pairs that had a model which
    ``--resume`` could not keep, and why. ``left_over_models`` are folders of jobs that this plan does not have.
    """

    schema_version: int
    plan_id: str
    run_id: str
    generated_at: str
    planned: int
    executed: int
    resumed: int
    nothing_to_train: str | None
    stopped: str | None
    families: dict[str, FamilyCounts]
    routes: dict[str, RouteSkill]
    failures: dict[str, FailureSummary]
    gaps: tuple[str, ...]
    trained_again: tuple[str, ...]
    left_over_models: tuple[str, ...]
    results: tuple[FamilyResult, ...]

    @property
    def not_installed(self) -> dict[str, tuple[str, ...]]:
        """Families that lack a library, by the reason, which says how to install it."""
        families: dict[str, dict[str, None]] = {}
        for result in self.results:
            if result.state is FamilyState.SKIPPED or result.failure is FailureKind.MISSING_LIBRARY:
                families.setdefault(result.reason or "", {})[result.family] = None
        return {reason: tuple(found) for reason, found in families.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the fields in their order, for the artifact writer."""
        return {name: getattr(self, name) for name in self.keys()}

"""What training one family of one job ended in."""

from enum import StrEnum

from trainroute.records.plan import Record
from trainroute.records.vocabulary import Stage

TRAINING_REPORT_SCHEMA_VERSION = 1


class FamilyState(StrEnum):
    """State of one job × family in the ledger."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_PLANNED = "not_planned"


class FamilyResult(Record, frozen=True, kw_only=True):
    """One row of the ledger.

    ``score`` is the concordance on the final holdout in [0, 1] (0.5 = no skill), None where it cannot be measured.
    ``artifact`` is relative to the output directory.
    """

    job_id: str
    family: str
    stage: Stage
    state: FamilyState
    attempts: int = 0
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    score: float | None = None
    expected_score: float | None = None
    artifact: str | None = None
    reason: str | None = None

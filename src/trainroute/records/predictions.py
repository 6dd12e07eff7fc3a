"""How predictions did on the holdout: what `predict --weights evaluated` writes beside them."""

from trainroute.records.plan import Record
from trainroute.records.results import Interval
from trainroute.records.vocabulary import Task

EVALUATION_SCHEMA_VERSION = 1


class SideScore(Record, frozen=True, kw_only=True):
    """Concordance of one kind of prediction: the mean over symbols, weighted by effective pairs, with its interval.

    ``symbols`` hold each symbol's own; None where no pair of rows can be compared.
    """

    score: float | None
    low: float | None
    high: float | None
    symbols: dict[str, float | None]


class BlendScores(Record, frozen=True, kw_only=True):
    """Blend, pooled and local models on the same rows of the symbols that have both; differences are paired."""

    symbols: int
    rows: int
    blend: SideScore
    pooled: SideScore
    local: SideScore
    blend_minus_pooled: Interval | None
    blend_minus_local: Interval | None


class TargetEvaluation(Record, frozen=True, kw_only=True):
    """One target: all that was predicted, as the plan routes it, and what blending adds."""

    target: str
    task: Task
    rows: int
    routed: SideScore
    both: BlendScores | None


class PredictionEvaluation(Record, frozen=True, kw_only=True):
    """``<predictions>.evaluation.json``: only rows of the holdout whose label is known. ``since`` in µs UTC."""

    schema_version: int
    plan_id: str
    since: int
    targets: tuple[TargetEvaluation, ...]

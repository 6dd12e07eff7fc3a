"""What a rule is: a comparison as expressions, with its threshold, its outcome and its words."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from trainroute.config.section import PerTask, Threshold
from trainroute.records.candidates import DECIMALS
from trainroute.records.vocabulary import SignalState, Task, TaskGroup


class Level(StrEnum):
    """What a check decides: whether a side may train at all, its state, or what stands between the two sides."""

    GATE = "GATE"
    STRONG = SignalState.STRONG.value
    WEAK_BUT_OK = SignalState.WEAK_BUT_OK.value
    EXPERIMENTAL = SignalState.EXPERIMENTAL.value
    POOL = "POOL"
    CHOICE = "CHOICE"


class Cause(StrEnum):
    """What kind of reason keeps a pair from training; counted in summaries."""

    NOT_MEASURED = "not measured"
    TOO_FEW_ROWS = "too few rows"
    EFFECTIVE_SIZE = "too few independent windows"
    MINORITY_EVENTS = "too few events of the rarer class"
    LEAKAGE = "leakage"
    TARGET_LEAKAGE = "leakage of the target"
    FAILED_FAMILIES = "too few families succeeded"
    NO_SCORE = "no score"
    SCORE = "below the score minimum"
    STABILITY = "stability not allowed"
    P_SKILL = "not enough evidence of skill"
    LANE_OFF = "experimental lane is off"
    LANE_FULL = "experimental lane is full"
    INCOMPLETE = "not provided"
    INTERVAL = "interval too low"
    NOT_SERVED = "the pool has no skill on the symbol"
    COMPARED = "neither side is known to be better"
    PINNED = "pinned"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule.

    Attributes
    ----------
    level : Level
    cause : Cause
        What it means where it fails.
    label : str
        What is compared, as sentences call it.
    value, threshold : polars.Expr
        Numbers or text, for explanations.
    relation : str
        How value and threshold stand where the check passes.
    passes : polars.Expr
        Boolean, never null.
    sentence : callable
        Makes the sentence where it fails, such as ``score 0.5123 < 0.53``: most decisions need none.
    key : str or None
        The config key that holds the threshold, such as ``routing.symbol.min_score``; None where none does.
    margin : str or None
        Field of `SideMargins` that holds value minus threshold.
    skipped : bool
        The table does not have the column.
    """

    level: Level
    cause: Cause
    label: str
    value: pl.Expr
    threshold: pl.Expr
    relation: str
    passes: pl.Expr
    sentence: Callable[[], pl.Expr]
    key: str | None = None
    margin: str | None = None
    skipped: bool = False

    @property
    def failure(self) -> pl.Expr:
        """The sentence where it fails."""
        return self.sentence()

    @property
    def column(self) -> str | None:
        """The column of the facts that is compared; None where it is a setting alone."""
        roots = (name for name in self.value.meta.root_names() if name != "task_type")
        return next(roots, None)

    @property
    def distance(self) -> pl.Expr:
        """Value minus threshold, rounded; null where there is nothing to subtract."""
        if self.margin is None or self.skipped:
            return pl.lit(None, pl.Float64)
        return (self.value.cast(pl.Float64) - self.threshold.cast(pl.Float64)).round(DECIMALS)


def setting(key: str, value: float | bool, provided: frozenset[str]) -> pl.Expr:  # noqa: FBT001 - any setting
    """Return what is set at a config key; where the rows bring a column of that name, each row has its own."""
    return pl.col(key) if key in provided else pl.lit(value)


def at_task(key: str, threshold: Threshold, provided: frozenset[str]) -> pl.Expr:
    """Return a threshold by the target's task; where that is unknown, the stricter one."""
    if not isinstance(threshold, PerTask):
        return setting(key, float(threshold), provided)
    task = pl.col("task_type")
    of_task = {group: setting(f"{key}.{group}", getattr(threshold, group), provided) for group in TaskGroup}
    return (
        pl.when(task == Task.REGRESSION)
        .then(of_task[TaskGroup.REGRESSION])
        .when(task.is_not_null())
        .then(of_task[TaskGroup.CLASSIFICATION])
        .otherwise(pl.max_horizontal(of_task.values()))
    )


def number(
    level: Level,
    cause: Cause,
    label: str,
    value: pl.Expr,
    least: pl.Expr,
    *,
    key: str,
    margin: str,
    off_at_zero: bool = False,
    source: bool = True,
    strictly: bool = False,
) -> Check:
    """Compare a number with its least; ``off_at_zero``: then nothing is asked; ``source``: the column is there."""
    reached = ((value > least) if strictly else (value >= least)).fill_null(value=False)

    def sentence() -> pl.Expr:
        opposite = "≤" if strictly else "<"
        said = pl.concat_str(pl.lit(f"{label} "), value.cast(pl.String), pl.lit(f" {opposite} "), least.cast(pl.String))
        return pl.when(value.is_null()).then(pl.lit(f"no {label}")).otherwise(said)

    return Check(
        level=level,
        cause=cause,
        label=label,
        value=value,
        threshold=least,
        relation=">" if strictly else "≥",
        passes=(reached | (least == 0) if off_at_zero else reached) if source else pl.lit(value=True),
        sentence=sentence,
        key=key,
        margin=margin,
        skipped=not source,
    )


def word(
    level: Level,
    cause: Cause,
    label: str,
    value: pl.Expr,
    wanted: str,
    *,
    passes: pl.Expr,
    failure: str | pl.Expr,
    key: str | None = None,
) -> Check:
    """Compare a word with what is wanted."""
    return Check(
        level=level,
        cause=cause,
        label=label,
        value=value,
        threshold=pl.lit(wanted),
        relation="must be",
        passes=passes,
        sentence=lambda: pl.lit(failure) if isinstance(failure, str) else failure,
        key=key,
    )

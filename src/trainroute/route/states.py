"""The state of one side, by the first rule that applies, and the sentence that says why."""

from collections.abc import Callable, Sequence

import polars as pl

from trainroute.records.vocabulary import SignalState
from trainroute.route.checks import Check, Level

_LEVELS = (Level.STRONG, Level.WEAK_BUT_OK, Level.EXPERIMENTAL)
_BETTER = {Level.WEAK_BUT_OK: Level.STRONG, Level.EXPERIMENTAL: Level.WEAK_BUT_OK}


def state_of(checks: Sequence[Check]) -> pl.Expr:
    """Return the state of each row: DISALLOWED at a failed gate, else the first level that passes."""
    state = pl.lit(SignalState.DISALLOWED.value)
    for level in reversed(_LEVELS):
        state = pl.when(passes(checks, level)).then(pl.lit(level.value)).otherwise(state)
    return pl.when(passes(checks, Level.GATE)).then(state).otherwise(pl.lit(SignalState.DISALLOWED.value))


def passes(checks: Sequence[Check], level: Level) -> pl.Expr:
    """Whether all checks of a level pass."""
    return pl.all_horizontal([check.passes for check in checks if check.level is level])


def sentence_of(checks: Sequence[Check], state: pl.Expr, name: str) -> pl.Expr:
    """Return why the side has its state: what failed at the gates, or at the level just above."""
    lowest = _lowest(checks)
    disallowed = (
        pl.when(passes(checks, Level.GATE)).then(_failures(checks, lowest)).otherwise(_failures(checks, Level.GATE))
    )
    sentence = pl.concat_str(pl.lit(f"{name} {SignalState.DISALLOWED.value}: "), disallowed)
    for level, better in _BETTER.items():
        said = pl.concat_str(pl.lit(f"{name} {level.value}, not {better.value}: "), _failures(checks, better))
        sentence = pl.when(state == level.value).then(said).otherwise(sentence)
    score = next(check for check in checks if check.level is Level.STRONG and check.margin == "strong_score")
    strong = pl.concat_str(
        pl.lit(f"{name} {Level.STRONG.value}: score "),
        score.value.cast(pl.String),
        pl.lit(" ≥ "),
        score.threshold.cast(pl.String),
    )
    return pl.when(state == Level.STRONG.value).then(strong).otherwise(sentence)


def cause_of(checks: Sequence[Check]) -> pl.Expr:
    """Return the first cause that makes the side DISALLOWED; null where it is not."""
    lowest = _lowest(checks)
    return _first_failing(checks, Level.GATE, lambda check: pl.lit(check.cause.value)).fill_null(
        _first_failing(checks, lowest, lambda check: pl.lit(check.cause.value))
    )


def _lowest(checks: Sequence[Check]) -> Level:
    """Return the easiest level that is open: EXPERIMENTAL with its lane on, else WEAK_BUT_OK."""
    lane = next(check for check in checks if check.level is Level.EXPERIMENTAL and check.label == "experimental lane")
    return Level.EXPERIMENTAL if pl.select(lane.passes).item() else Level.WEAK_BUT_OK


def _failures(checks: Sequence[Check], level: Level) -> pl.Expr:
    failed = [pl.when(~check.passes).then(check.failure) for check in checks if check.level is level]
    return pl.concat_str(failed, separator="; ", ignore_nulls=True)


def _first_failing(checks: Sequence[Check], level: Level, said: Callable[[Check], pl.Expr]) -> pl.Expr:
    return pl.coalesce([pl.when(~check.passes).then(said(check)) for check in checks if check.level is level])

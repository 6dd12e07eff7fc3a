"""The state of one side, by the first rule that applies, and the sentence that says why."""

from collections.abc import Callable, Sequence

import polars as pl

from trainroute.records.vocabulary import SignalState
from trainroute.route.checks import Check, Level

_LEVELS = (Level.STRONG, Level.WEAK_BUT_OK, Level.EXPERIMENTAL)
_BETTER = {SignalState.WEAK_BUT_OK: Level.STRONG, SignalState.EXPERIMENTAL: Level.WEAK_BUT_OK}


def state_of(checks: Sequence[Check]) -> pl.Expr:
    """Return the state of each row: DISALLOWED at a failed gate, else the first level that passes."""
    state = pl.lit(SignalState.DISALLOWED.value)
    for level in reversed(_LEVELS):
        state = pl.when(passes(checks, level)).then(pl.lit(level.value)).otherwise(state)
    return pl.when(passes(checks, Level.GATE)).then(state).otherwise(pl.lit(SignalState.DISALLOWED.value))


def passes(checks: Sequence[Check], level: Level) -> pl.Expr:
    """Whether all checks of a level pass."""
    return pl.all_horizontal([check.passes for check in checks if check.level is level])


def sentence_of(checks: Sequence[Check], state: SignalState, name: str) -> pl.Expr:
    """Return why a side has that state: what failed at the gates, or at the level just above."""
    if state is SignalState.STRONG:
        score = next(check for check in checks if check.level is Level.STRONG and check.margin == "strong_score")
        value, threshold = score.value.cast(pl.String), score.threshold.cast(pl.String)
        return pl.concat_str(pl.lit(f"{name} {state}: score "), value, pl.lit(" ≥ "), threshold)
    if state is SignalState.DISALLOWED:
        gates, levels = _failures(checks, Level.GATE), _failures(checks, _lowest(checks))
        failed = pl.when(passes(checks, Level.GATE)).then(levels).otherwise(gates)
        return pl.concat_str(pl.lit(f"{name} {state}: "), failed)
    better = _BETTER[state]
    return pl.concat_str(pl.lit(f"{name} {state}, not {better}: "), _failures(checks, better))


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

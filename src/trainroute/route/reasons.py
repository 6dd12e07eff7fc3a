"""Why each decision is as it is: its reasons in words, and its distance to each threshold.

Of the sentences that a column could hold, each row needs one. So a table is taken apart by the state of the side,
each part gets only the sentences of that state, and the parts are put together again in the order of the rows.
"""

from collections.abc import Callable, Sequence

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.frames import nested
from trainroute.records.routing import SampleEvidence, SymbolScores
from trainroute.records.vocabulary import LeakageStatus, Mode, SignalState, StabilityCategory
from trainroute.route.between import choice_checks, serving_checks, taken_out
from trainroute.route.checks import Check
from trainroute.route.hysteresis import held_sentence
from trainroute.route.pins import lift_sentence
from trainroute.route.rules import checks_of, not_provided, strict_checks_of
from trainroute.route.states import sentence_of
from trainroute.route.table import why_of

_ROW, _STATE = "__row", "state_by_rules"

Sentences = Callable[[SignalState], Sequence[pl.Expr]]


def explained_pooled(pooled: pl.DataFrame, config: RoutingConfig, provided: frozenset[str]) -> pl.DataFrame:
    """Add ``margins`` and ``reasons`` to the pooled sides that `trainroute.route.decide.routed` gives."""
    checks = checks_of(Mode.CROSS_SECTIONAL, config, provided)
    strict = strict_checks_of(Mode.CROSS_SECTIONAL, config, provided) if config.hysteresis.on else checks
    notes = [*_notes("pooled", not_provided(config, provided)), _unknowns("pooled")]

    def sentences(state: SignalState) -> list[pl.Expr]:
        held = held_sentence(checks, strict, pl.col(_STATE), "pooled")
        return [lift_sentence(), sentence_of(checks, state, "pooled"), held, *notes]

    return pooled.with_columns(_margins(checks), _reasons(pooled, sentences))


def explained_pairs(pairs: pl.DataFrame, config: RoutingConfig, provided: frozenset[str]) -> pl.DataFrame:
    """Add ``scores``, ``evidence``, ``margins`` and ``reasons`` to the pairs that `routed` gives."""
    checks = checks_of(Mode.SYMBOL, config, provided)
    strict = strict_checks_of(Mode.SYMBOL, config, provided) if config.hysteresis.on else checks
    serving = serving_checks(config, provided)
    between = [*serving, *choice_checks(config, provided)]
    by_states = why_of(pl.col("cs_state"), pl.col("local_state"), config, provided)
    why = pl.coalesce("pin_why", "over", by_states)
    route = pl.concat_str(pl.col("route").str.strip_prefix("ROUTE_"), pl.lit(": "), why)
    missing = [name for name in ("p_cs_skill", "p_local_better") if name not in provided]
    notes = [*_notes("local", [*not_provided(config, provided), *missing]), _unknowns("local")]

    def sentences(state: SignalState) -> list[pl.Expr]:
        held = held_sentence(checks, strict, pl.col(_STATE), "local")
        return [route, _pooled_sentence(taken_out(serving)), sentence_of(checks, state, "local"), held, *notes]

    return pairs.with_columns(
        nested(SymbolScores, "scores"),
        nested(SampleEvidence, "evidence"),
        _margins([*checks, *between]),
        _reasons(pairs, sentences),
    )


def _reasons(frame: pl.DataFrame, sentences: Sentences) -> pl.Series:
    """Return the sentences of each row as a list; null ones are left out, one at least is not null."""
    parts = [
        _lists(part.select(_ROW, *(said.alias(str(place)) for place, said in enumerate(sentences(SignalState(state))))))
        for (state,), part in frame.with_row_index(_ROW).partition_by(_STATE, as_dict=True).items()
    ]
    empty = pl.DataFrame(schema={_ROW: pl.get_index_type(), "reasons": pl.List(pl.String)})
    return pl.concat([empty, *parts]).sort(_ROW)["reasons"]


def _lists(sentences: pl.DataFrame) -> pl.DataFrame:
    """Turn columns of sentences into one column of lists, row by row, without the nulls."""
    columns = sentences.drop(_ROW).get_columns()
    height, width = sentences.height, len(columns)
    place = pl.int_range(height * width, eager=True)
    row, column = place // width, place % width
    flat = pl.concat(columns).gather(column * height + row).alias("reasons")
    rows = sentences[_ROW].gather(row)
    return pl.DataFrame([rows, flat]).drop_nulls().group_by(_ROW, maintain_order=True).agg("reasons")


def _margins(checks: Sequence[Check]) -> pl.Expr:
    distances = {check.margin: check.distance for check in checks if check.margin is not None}
    return pl.struct(distances[name].cast(pl.Float64).alias(name) for name in sorted(distances)).alias("margins")


def _pooled_sentence(taken_out: pl.Expr) -> pl.Expr:
    state = pl.concat_str(pl.lit("pooled "), pl.col("target_state"))
    out = pl.concat_str(state, pl.lit(", but not for this symbol: "), taken_out)
    serves_nobody = pl.col("target_state") == SignalState.DISALLOWED
    return pl.when(taken_out.is_null() | serves_nobody).then(state).otherwise(out)


def _notes(name: str, missing: Sequence[str]) -> list[pl.Expr]:
    return [pl.lit(f"{name}: not provided: {', '.join(missing)}")] if missing else []


def _unknowns(name: str) -> pl.Expr:
    """Name what is UNKNOWN: it blocks nothing."""
    leakage = pl.when(pl.col("leakage_status") == LeakageStatus.UNKNOWN).then(pl.lit("leakage"))
    stability = pl.when(pl.col("stability") == StabilityCategory.UNKNOWN).then(pl.lit("stability"))
    listed = pl.concat_str(leakage, stability, separator=" and ", ignore_nulls=True)
    return pl.when(listed != "").then(pl.concat_str(listed, pl.lit(f" of the {name} side UNKNOWN")))

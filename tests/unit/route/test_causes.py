"""Why a route changed, where that is not one score or one threshold: hysteresis, pins, rivals in the lane, the code."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import polars as pl
import pytest

from trainroute.records.differences import RouteDifference
from trainroute.records.routing import RoutingPlan
from trainroute.route import compare_routes

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
Decide = Callable[..., RoutingPlan]

HELD = {"score_margin": 0.01}
ALONE: Row = {"score_shrunk": 0.4, "p_skill": 0.1}
DAY = "2026-01-01"
KEY = "routing.symbol.min_score"


def _table(rows: Rows, score: float) -> list[Row]:
    return rows(pooled=ALONE, A={"score_shrunk": score, "p_skill": 0.95})


def _only(before: RoutingPlan, after: RoutingPlan) -> RouteDifference:
    (change,) = compare_routes(before, after).changes()
    return change


def test_another_previous_plan_is_named_and_not_the_code(rows: Rows, decide: Decide) -> None:
    above = decide(_table(rows, 0.535), hysteresis=HELD)
    held = decide(_table(rows, 0.525), hysteresis=HELD, previous=above)
    alone = decide(_table(rows, 0.525), hysteresis=HELD)
    lost = _only(held, alone)
    assert lost.why == f"hysteresis: {KEY} 0.52 → 0.53 (by the previous plan) crossed local score_shrunk 0.525"
    won = _only(alone, held)
    assert won.why == f"hysteresis: {KEY} 0.53 → 0.52 (by the previous plan) crossed local score_shrunk 0.525"
    assert compare_routes(held, alone).causes() == {f"hysteresis on {KEY}": 1}


@pytest.mark.parametrize("score", [0.52, 0.529])
def test_a_score_that_moved_within_the_margin_is_not_the_cause(rows: Rows, decide: Decide, score: float) -> None:
    above = decide(_table(rows, 0.535), hysteresis=HELD)
    held = decide(_table(rows, 0.525), hysteresis=HELD, previous=above)
    lost = _only(held, decide(_table(rows, score), hysteresis=HELD))
    assert lost.why == f"hysteresis: {KEY} 0.52 → 0.53 (by the previous plan) crossed local score_shrunk {score}"


def test_a_score_that_left_the_margin_is_the_cause(rows: Rows, decide: Decide) -> None:
    plans: list[RoutingPlan] = []
    for score in (0.535, 0.525, 0.515):
        plans.append(decide(_table(rows, score), hysteresis=HELD, previous=plans[-1] if plans else None))
    assert _only(*plans[1:]).why == f"metric: local score_shrunk 0.525 → 0.515 crossed {KEY} 0.52"
    back = decide(_table(rows, 0.535), hysteresis=HELD, previous=plans[-1])
    assert _only(plans[-1], back).why == f"metric: local score_shrunk 0.515 → 0.535 crossed {KEY} 0.53"


def test_a_margin_that_changed_is_named(rows: Rows, decide: Decide) -> None:
    above = decide(_table(rows, 0.535), hysteresis=HELD)
    held = decide(_table(rows, 0.525), hysteresis=HELD, previous=above)
    narrow = decide(_table(rows, 0.525), hysteresis={"score_margin": 0.001}, previous=above)
    assert _only(held, narrow).why == "config: routing.hysteresis.score_margin 0.01 → 0.001"
    switched = _only(decide(_table(rows, 0.525)), held)
    assert switched.kind == "config and hysteresis"
    assert {cause.key for cause in switched.causes} == {KEY, "routing.hysteresis.score_margin"}


def test_a_pooled_side_that_is_held_is_named(rows: Rows, decide: Decide) -> None:
    key = "routing.cross_sectional.min_score"

    def pool(score: float, previous: RoutingPlan | None = None) -> RoutingPlan:
        table = rows(pooled={"score_shrunk": score, "p_skill": 0.95}, A=ALONE, B=ALONE)
        limits = {"min_score": 0.53, "strong_score": 0.57}
        return decide(table, hysteresis=HELD, previous=previous, cross_sectional=limits)

    held, alone = pool(0.525, pool(0.535)), pool(0.525)
    why = f"hysteresis: {key} 0.52 → 0.53 (by the previous plan) crossed pooled score_shrunk 0.525"
    assert {change.why for change in compare_routes(held, alone).changes()} == {why}


def _pin(symbol: str | None, force: str, reason: str = "r") -> Row:
    return {"target": "y", "symbol": symbol, "force": force, "reason": reason, "expires": "2027-01-31"}


def test_only_the_pins_of_the_pair_are_named(rows: Rows, decide: Decide) -> None:
    table = rows(A={}, B={}, C={}, D={})
    pins = [_pin("A", "BLOCKED"), _pin("B", "CROSS_SECTIONAL", "by hand"), _pin("C", "BLOCKED", "both times")]
    before = decide(table, pins=[pins[0], pins[2]], generated_at=DAY)
    moved = [pins[2], pins[1], _pin("A", "SYMBOL_SPECIFIC")]
    after = decide(table, pins=moved, generated_at=DAY)
    found = {change.symbol: change.why for change in compare_routes(before, after).changes()}
    assert found == {
        "A": "config: routing.pins[y · A: r] force BLOCKED until 2027-01-31 → force SYMBOL_SPECIFIC until 2027-01-31",
        "B": "config: routing.pins[y · B: by hand] none → force CROSS_SECTIONAL until 2027-01-31",
    }
    back = {change.symbol: change.why for change in compare_routes(after, before).changes()}
    assert back["B"] == "config: routing.pins[y · B: by hand] force CROSS_SECTIONAL until 2027-01-31 → none"
    assert compare_routes(before, decide(table, pins=[pins[2], pins[0]], generated_at=DAY)).settings == {}


EXPERIMENT: Row = {"score_shrunk": 0.525, "p_skill": 0.95, "p_cs_skill": 0.1}


def _lane(rows: Rows, **scores: float) -> list[Row]:
    return rows(pooled=ALONE, **{name: {**EXPERIMENT, "score_shrunk": score} for name, score in scores.items()})


def test_who_took_the_place_in_the_lane_is_named(rows: Rows, decide: Decide) -> None:
    share = {"experimental": {"max_fraction_symbols_per_target": 0.5}}
    scores = {"A": 0.529, "B": 0.524, "C": 0.522, "D": 0.521}
    before = decide(_lane(rows, **scores), **share)
    after = decide(_lane(rows, **{**scores, "D": 0.525}), **share)
    found = {change.symbol: change.why for change in compare_routes(before, after).changes()}
    place = "place in the experimental lane"
    assert found == {
        "B": f"metric: {place} kept → full: taken by D (0.521 → 0.525)",
        "D": f"metric: local score_shrunk 0.521 → 0.525; {place} full → kept: left by B (0.524)",
    }
    fewer = decide([row for row in _lane(rows, **scores) if row["symbol"] not in {"C", "D"}], **share)
    found = {change.symbol: change.why for change in compare_routes(before, fewer).changes() if change.after}
    assert found == {"B": f"metric: {place} kept → full: places 2 → 1"}


def test_a_pin_that_frees_a_place_in_the_lane_is_named(rows: Rows, decide: Decide) -> None:
    table, share = _lane(rows, A=0.529, B=0.524), {"experimental": {"max_fraction_symbols_per_target": 0.5}}
    pinned = decide(table, pins=[_pin("A", "BLOCKED")], generated_at=DAY, **share)
    found = {change.symbol: change for change in compare_routes(decide(table, **share), pinned).changes()}
    assert {change.kind for change in found.values()} == {"config"}
    assert [cause.key for cause in found["B"].causes] == ["routing.pins[y · A: r]"]


def test_the_code_is_named_where_this_version_decides_otherwise(rows: Rows, decide: Decide) -> None:
    after = decide(rows(A={}, B={}))
    routes = pl.when(pl.col("symbol") == "A").then(pl.lit("ROUTE_CROSS_SECTIONAL")).otherwise("route")
    metadata = msgspec.structs.replace(after.metadata, code_version="older")
    before = replace(after, metadata=metadata, pairs=after.pairs.with_columns(route=routes))
    assert _only(before, after).why == "code"
    other = decide(rows(A={}, B={}), min_minority_events=31)
    assert _only(before, other).why == "code"


def test_of_two_settings_only_the_one_that_did_it_is_named(rows: Rows, decide: Decide) -> None:
    """The first lets the rows of A pass, and the score that is then compared does not."""
    table = rows(pooled=ALONE, A={"sample_size": 800, "score": 0.5, "score_shrunk": 0.6}, B={})
    few = {"min_sample_size": {"cross_sectional": 5000, "symbol": 500}}
    before = decide(rows(pooled=ALONE, A={"score": 0.5}, B={}))
    raw = {"evidence": {"use_shrunk_score": False}}
    change = _only(before, decide(rows(pooled=ALONE, A={"score": 0.5}, B={}), **few, **raw))
    assert change.why == "config: routing.evidence.use_shrunk_score True → False"
    both = _only(decide(table), decide(table, **few))
    assert both.why == "config: routing.min_sample_size.symbol 1000 → 500 crossed local sample_size 800"


def test_a_threshold_does_not_hide_the_pin_that_did_it(rows: Rows, decide: Decide) -> None:
    table = _table(rows, 0.525)
    lower = {"symbol": {"min_score": 0.515, "strong_score": 0.57}}
    before, after = decide(table), decide(table, pins=[_pin("A", "BLOCKED")], generated_at=DAY, **lower)
    assert _only(before, after).why == "config: routing.pins[y · A: r] none → force BLOCKED until 2027-01-31"


def test_a_pin_that_only_lasts_longer_is_not_the_cause(rows: Rows, decide: Decide) -> None:
    def decided(behavior: str, until: str) -> RoutingPlan:
        pin = {"target": "y", "symbol": "A", "forbid": ["BOTH"], "reason": "r", "expires": until}
        return decide(rows(A={"p_local_better": 0.4}), both_strong_behavior=behavior, pins=[pin], generated_at=DAY)

    change = _only(decided("ROUTE_BOTH", "2027-01-31"), decided("PREFER_SYMBOL", "2027-03-31"))
    assert change.why == "config: routing.both_strong_behavior ROUTE_BOTH → PREFER_SYMBOL"


def test_of_many_pins_the_one_of_the_lane_of_the_pair_is_named(rows: Rows, decide: Decide) -> None:
    share = {"experimental": {"max_fraction_symbols_per_target": 0.5}}
    lane = _lane(rows, A=0.529, B=0.524)
    others = [{**row, "target": "a"} for row in rows(P={}, Q={}, R={})]
    pins = [{**_pin(name, "BLOCKED"), "target": "a"} for name in "PQR"]
    after = decide([*lane, *others], pins=[*pins, _pin("A", "BLOCKED", "four")], generated_at=DAY, **share)
    found = compare_routes(decide([*lane, *others], **share), after)
    named = {change.symbol: [cause.key for cause in change.causes] for change in found.changes()}
    assert named["B"] == ["routing.pins[y · A: four]"]
    assert "routing.pins" not in found.causes()


def test_switches_are_named_with_both_values(rows: Rows, decide: Decide) -> None:
    lane = _lane(rows, A=0.529)
    off = _only(decide(lane), decide(lane, enable_experimental_lane=False))
    assert off.why == "config: routing.enable_experimental_lane True → False"
    leak = rows(A={"leakage_status": "BLOCKED"})
    free = _only(decide(leak), decide(leak, block_on_leakage=False))
    assert free.why == "config: routing.block_on_leakage True → False"


def test_a_place_won_by_what_is_held_on_to_is_no_metric(rows: Rows, decide: Decide) -> None:
    share = {"experimental": {"max_fraction_symbols_per_target": 0.5}, "hysteresis": HELD}
    now = _lane(rows, A=0.525, B=0.515)
    plans = [decide(now, previous=decide(_lane(rows, A=score, B=0.515), **share), **share) for score in (0.54, 0.51)]
    found = {change.symbol: change for change in compare_routes(*plans).changes()}
    assert found["B"].why == "hysteresis: place in the experimental lane kept → full: taken by A (0.525)"
    assert {cause.by for cause in found["B"].causes} == {"hysteresis"}


def test_fewer_symbols_of_one_table_are_not_the_code(rows: Rows, decide: Decide) -> None:
    share = {"experimental": {"max_fraction_symbols_per_target": 0.5}}
    whole = decide(_lane(rows, A=0.529, B=0.524, C=0.5, D=0.5), **share)
    part = decide(_lane(rows, A=0.529, B=0.524), **share)
    part = replace(
        part, metadata=msgspec.structs.replace(part.metadata, metrics_snapshot=whole.metadata.metrics_snapshot)
    )
    found = {change.symbol: change.why for change in compare_routes(whole, part).changes() if change.after}
    assert found == {"B": "metric: place in the experimental lane kept → full: places 2 → 1"}


def test_a_lost_route_names_the_rule_that_it_rested_on_and_not_that_of_strong(rows: Rows, decide: Decide) -> None:
    change = _only(decide(rows(pooled=ALONE, A={})), decide(rows(pooled=ALONE, A={"score_shrunk": 0.521})))
    assert change.why == "metric: local score_shrunk 0.6 → 0.521 crossed routing.symbol.min_score 0.53"


def test_of_many_rivals_three_are_named(rows: Rows, decide: Decide) -> None:
    share = {"experimental": {"max_fraction_symbols_per_target": 0.5}}
    names, up = "ABCDEFGHIJ", "FGHIJ"
    before = {name: 0.525 - 0.0001 * place for place, name in enumerate(names)}
    after = before | {name: before[name] + 0.001 for name in up}
    found = compare_routes(decide(_lane(rows, **before), **share), decide(_lane(rows, **after), **share)).changes()
    why = {change.symbol: change.why for change in found}
    assert why["A"] == (
        "metric: place in the experimental lane kept → full: taken by F (0.5245 → 0.5255), "
        "taken by G (0.5244 → 0.5254), taken by H (0.5243 → 0.5253), 2 more"
    )


def test_of_many_settings_each_is_looked_at(rows: Rows, decide: Decide) -> None:
    """All but one change nothing for this pair, and stand before it in the file."""
    nothing = {
        "block_on_leakage": False,
        "both_strong_behavior": "PREFER_CS",
        "cross_sectional": {"min_score": 0.511, "strong_score": 0.6},
        "evidence": {
            "cs_on_symbol_below": 0.45,
            "min_p_skill": {"strong": 0.98, "weak": 0.79, "experimental": 0.59},
            "require_ci_above": 0.49,
        },
        "experimental": {"max_fraction_symbols_per_target": 0.3, "min_score": 0.505},
        "min_effective_size": {"cross_sectional": 90, "symbol": 20},
        "min_minority_events": 20,
        "min_sample_size": {"cross_sectional": 900, "symbol": 900},
        "require_min_successful_families": 0,
    }
    before = decide(_table(rows, 0.535))
    change = _only(before, decide(_table(rows, 0.535), **nothing, symbol={"min_score": 0.54, "strong_score": 0.57}))
    assert change.why == f"config: {KEY} 0.53 → 0.54 crossed local score_shrunk 0.535"


def test_a_place_taken_by_a_rival_with_more_rows_is_lost_to_the_data(rows: Rows, decide: Decide) -> None:
    share = {"experimental": {"max_fraction_symbols_per_target": 0.5}}
    before, after = _lane(rows, A=0.521, B=0.525), _lane(rows, A=0.521, B=0.525)
    before[2]["sample_size"] = 900
    found = {c.symbol: c for c in compare_routes(decide(before, **share), decide(after, **share)).changes()}
    assert {change.kind for change in found.values()} == {"data"}
    assert found["A"].why == "data: place in the experimental lane kept → full: taken by B (0.525)"

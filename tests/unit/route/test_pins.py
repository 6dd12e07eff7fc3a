"""Pins, exhaustively: every route forced or forbidden for every pair of states, and what no pin can do."""

import random
from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import pytest

from trainroute.errors import ConfigError, UsageError
from trainroute.records.pins import unmatched_pins
from trainroute.records.routing import RoutingPlan
from trainroute.route import explain, explanation_markdown, overruled_pins

Row = dict[str, Any]
Rows = Callable[..., list[Row]]
Decide = Callable[..., RoutingPlan]

SIDES: dict[str, Row] = {
    "STRONG": {},
    "WEAK_BUT_OK": {"p_skill": 0.96},
    "EXPERIMENTAL": {"score_shrunk": 0.515, "p_skill": 0.83},
    "DISALLOWED": {"score_shrunk": 0.5, "p_skill": 0.1},
}
ROUTES = ("CROSS_SECTIONAL", "SYMBOL_SPECIFIC", "BOTH", "EXPERIMENTAL_ONLY", "BLOCKED")
NO_ROWS: Row = {"minority_events": None, "n_eff": None}
TRAINS = {
    "ROUTE_CROSS_SECTIONAL": {"pooled"},
    "ROUTE_SYMBOL_SPECIFIC": {"local"},
    "ROUTE_BOTH": {"pooled", "local"},
}


def _pin(target: str = "y", symbol: str | None = "A", **wish: Any) -> Row:
    return {"target": target, "symbol": symbol, "reason": "told so", "expires": "2027-01-31", **wish}


@pytest.fixture
def decide(decide: Decide) -> Decide:
    """Decide on the last day on which the pins hold, or another."""
    return lambda rows, **given: decide(rows, **{"generated_at": "2027-01-31T23:59:59+00:00", **given})


PAIRS = list(product(SIDES, SIDES))


@pytest.fixture
def every_pair(rows: Rows) -> Callable[..., list[Row]]:
    """One target for each pair of states, named by it, with the symbols A (of these states) and B (STRONG)."""

    def make(**own: Any) -> list[Row]:
        return [
            {**row, "target": f"{pooled} {local}"}
            for pooled, local in PAIRS
            for row in rows(pooled=SIDES[pooled], A={**SIDES[local], **own}, B={})
        ]

    return make


@pytest.mark.parametrize("route", ROUTES)
def test_a_forced_route_is_given_whatever_the_evidence(
    every_pair: Callable[..., list[Row]], decide: Decide, route: str
) -> None:
    table = every_pair()
    plan, free = decide(table, pins=[_pin("*", force=route)]), decide(table)
    pin = "pin 1 (* · A: told so)"
    for pooled, local in PAIRS:
        target = f"{pooled} {local}"
        decision = plan.symbol_decision(target, "A")
        assert (decision.route, decision.pinned_by) == (f"ROUTE_{route}", pin)
        assert decision.reasons[0].startswith(f"{route}: forced by {pin}")
        assert decision.blocked_by == ("pinned" if route == "BLOCKED" else None)
        trained = TRAINS.get(decision.route, set())
        if "local" in trained:
            assert decision.local_state == (local if local != "DISALLOWED" else "EXPERIMENTAL")
        if "pooled" in trained:
            assert decision.cs_state == (pooled if pooled != "DISALLOWED" else "EXPERIMENTAL")
            assert plan.cross_sectional(target).state == decision.cs_state
        if route == "EXPERIMENTAL_ONLY":
            assert decision.local_state == "EXPERIMENTAL"
        other, before = plan.symbol_decision(target, "B"), free.symbol_decision(target, "B")
        assert other.pinned_by is None
        assert (other.route, other.cs_state, other.local_state) == (before.route, before.cs_state, before.local_state)
    assert f"forced by {pin}" in "\n".join(explain(plan, target, "A").lines())


@pytest.mark.parametrize("p_local_better", [0.1, 0.5, 0.9])
def test_a_forbidden_route_gives_way_to_what_the_states_allow(
    every_pair: Callable[..., list[Row]], decide: Decide, p_local_better: float
) -> None:
    table, lane = every_pair(p_local_better=p_local_better), {"max_fraction_symbols_per_target": 1.0}
    free = decide(table, experimental=lane)
    trainable = [f"ROUTE_{route}" for route in ROUTES[:4]]
    for mask in range(1, 16):
        forbidden = [route for place, route in enumerate(trainable) if mask >> place & 1]
        plan = decide(table, experimental=lane, pins=[_pin("*", forbid=forbidden)])
        for pooled, local in PAIRS:
            before = free.symbol_decision(f"{pooled} {local}", "A").route.value
            decision = plan.symbol_decision(f"{pooled} {local}", "A")
            assert decision.route not in forbidden
            if before not in forbidden:
                assert (decision.route, decision.pinned_by) == (before, None)
                continue
            both_ok = {pooled, local} <= {"STRONG", "WEAK_BUT_OK"}
            left = [route for route in trainable[:3] if route not in forbidden]
            local_first = p_local_better >= 0.5 and before == "ROUTE_BOTH"
            nearest = ["ROUTE_SYMBOL_SPECIFIC", *left] if local_first else ["ROUTE_BOTH", *left]
            expected = next(route for route in [*nearest, "ROUTE_BLOCKED"] if route not in forbidden)
            assert decision.route == (expected if both_ok else "ROUTE_BLOCKED")
            assert f"{before.removeprefix('ROUTE_')} forbidden by pin 1" in decision.reasons[0]
            assert decision.blocked_by == ("pinned" if decision.route == "ROUTE_BLOCKED" else None)


@pytest.mark.parametrize("route", ROUTES[:4])
@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"A": {"leakage_status": "BLOCKED"}}, "leakage is BLOCKED"),
        ({"pooled": {"leakage_status": "BLOCKED"}, "A": {}}, "leakage of the target is BLOCKED"),
    ],
)
def test_no_pin_trains_what_leaks(rows: Rows, decide: Decide, route: str, spoilt: dict[str, Row], said: str) -> None:
    decision = decide(rows(**spoilt), pins=[_pin(force=route)]).symbol_decision("y", "A")
    assert decision.route == "ROUTE_BLOCKED"
    assert decision.blocked_by in {"leakage", "leakage of the target"}
    assert decision.reasons[0].endswith(f"asks for {route}, but {said}")
    assert decision.local_state == "DISALLOWED"


@pytest.mark.parametrize(
    ("route", "spoilt", "trains"),
    [
        ("SYMBOL_SPECIFIC", {"A": {**NO_ROWS, "sample_size": 0}}, False),
        ("SYMBOL_SPECIFIC", {"A": {**NO_ROWS, "sample_size": None}}, False),
        ("SYMBOL_SPECIFIC", {"A": {**NO_ROWS, "sample_size": 1}}, True),
        ("CROSS_SECTIONAL", {"A": {**NO_ROWS, "sample_size": 0}}, True),
        ("CROSS_SECTIONAL", {"pooled": {**NO_ROWS, "sample_size": 0}, "A": {}}, False),
        ("BOTH", {"pooled": {**NO_ROWS, "sample_size": 0}, "A": {}}, False),
    ],
)
def test_no_pin_makes_rows(rows: Rows, decide: Decide, route: str, spoilt: dict[str, Row], trains: bool) -> None:
    decision = decide(rows(**spoilt), pins=[_pin(force=route)]).symbol_decision("y", "A")
    assert (decision.route == f"ROUTE_{route}") == trains
    assert (decision.route == "ROUTE_BLOCKED") != trains


def test_a_pool_that_was_not_measured_cannot_be_forced(rows: Rows, decide: Decide) -> None:
    decision = decide(rows(A={})[1:], pins=[_pin(force="CROSS_SECTIONAL")]).symbol_decision("y", "A")
    assert (decision.route, decision.blocked_by) == ("ROUTE_BLOCKED", "not measured")


def test_a_pair_that_a_pin_puts_into_the_lane_takes_no_place_in_it(rows: Rows, decide: Decide) -> None:
    table = rows(pooled=SIDES["DISALLOWED"], **dict.fromkeys("ABCDE", SIDES["EXPERIMENTAL"]))
    free = decide(table)
    assert free.route_counts()["ROUTE_EXPERIMENTAL_ONLY"] == 1
    assert free.symbol_decision("y", "A").route == "ROUTE_EXPERIMENTAL_ONLY"
    plan = decide(table, pins=[_pin(symbol="E", force="EXPERIMENTAL_ONLY")])
    kept = [name for name in "ABCDE" if plan.symbol_decision("y", name).route == "ROUTE_EXPERIMENTAL_ONLY"]
    assert kept == ["A", "E"]


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        ({"force": "BOTH"}, {"force": "BOTH", "symbol": None}, False),
        ({"force": "BOTH"}, {"force": "BLOCKED", "symbol": None}, True),
        ({"force": "BOTH"}, {"forbid": ["BOTH"], "symbol": "[AB]"}, True),
        ({"force": "BOTH"}, {"forbid": ["SYMBOL_SPECIFIC"], "symbol": None}, False),
        ({"force": "BOTH"}, {"force": "BLOCKED", "symbol": "B"}, False),
        ({"forbid": ["BOTH"]}, {"forbid": ["CROSS_SECTIONAL"]}, False),
    ],
)
def test_two_pins_that_contradict_each_other_on_a_pair_are_an_error(
    rows: Rows, decide: Decide, first: Row, second: Row, contradict: bool
) -> None:
    table, pins = rows(A={}, B={}), [_pin(**first), _pin(**{"target": "y*", **second})]
    for ordered in (pins, pins[::-1]):
        if contradict:
            with pytest.raises(ConfigError, match=r"pin 1 .* and pin 2 .* contradict each other, e\.g\. on y · A"):
                decide(table, pins=ordered)
        else:
            decide(table, pins=ordered)


@pytest.mark.parametrize("seed", range(8))
def test_of_many_pins_the_first_that_means_a_pair_is_named_and_all_are_obeyed(
    seed: int, rows: Rows, decide: Decide
) -> None:
    rng, symbols = random.Random(seed), [f"{letter}{number}" for letter in "ABC" for number in range(4)]
    patterns = [*symbols, "A*", "?1", "[BC]2", "nobody"]
    wishes: list[Row] = [{"force": "BOTH"}, {"forbid": ["CROSS_SECTIONAL"]}, {"forbid": ["SYMBOL_SPECIFIC"]}]
    pins = [_pin(symbol=rng.choice(patterns), **rng.choice(wishes)) for _ in range(60)]
    plan = decide(rows(**{symbol: {} for symbol in symbols}), pins=pins)
    for symbol in symbols:
        meant = [(number, pin) for number, pin in enumerate(pins, start=1) if fnmatchcase(symbol, pin["symbol"])]
        forced = [number for number, pin in meant if "force" in pin]
        decision = plan.symbol_decision("y", symbol)
        if forced:
            assert decision.route == "ROUTE_BOTH"
            assert (decision.pinned_by or "").startswith(f"pin {forced[0]} ")
        forbidden = {f"ROUTE_{route}" for _, pin in meant for route in pin.get("forbid", [])}
        assert decision.route not in forbidden


def test_a_pin_expires_after_its_last_day(rows: Rows, decide: Decide) -> None:
    table, pins = rows(A={}), [_pin(force="BLOCKED"), _pin(force="BLOCKED", expires="2027-01-30")]
    with pytest.raises(ConfigError, match=r"pin 2 \(y · A: told so\) expired on 2027-01-30"):
        decide(table, pins=pins)
    decide(table, pins=pins[:1])
    with pytest.raises(ConfigError, match=r"pin 1 \(y · A: told so\) expired on 2027-01-31"):
        decide(table, pins=pins[:1], generated_at="2027-02-01T00:00:00+00:00")


def test_without_a_day_pins_cannot_be_judged(rows: Rows, decide: Decide) -> None:
    with pytest.raises(UsageError, match="expected ISO 8601"):
        decide(rows(A={}), generated_at="now", pins=[_pin(force="BLOCKED")])


def test_a_pin_that_means_nothing_is_named(rows: Rows, decide: Decide) -> None:
    pins = [_pin(target="y_*", force="BLOCKED"), _pin(symbol="?", force="BLOCKED"), _pin(symbol="a", force="BLOCKED")]
    plan = decide(rows(A={}), pins=pins)
    assert unmatched_pins(plan.routing.pins, plan.pairs) == ["pin 1 (y_* · A: told so)", "pin 3 (y · a: told so)"]
    assert plan.symbol_decision("y", "A").route == "ROUTE_BLOCKED"


def test_a_pin_that_is_overruled_is_named(rows: Rows, decide: Decide) -> None:
    pins = [_pin(force="SYMBOL_SPECIFIC", symbol="[AB]"), _pin(force="BLOCKED", symbol="C")]
    plan = decide(rows(A={}, B={"leakage_status": "BLOCKED"}, C={}), pins=pins)
    assert overruled_pins(plan.pairs) == [("pin 1 (y · [AB]: told so)", "leakage", 1)]


def test_names_with_special_characters_mean_themselves(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(**{"B[1]": {}, "B1": {}}), pins=[_pin(symbol="B[1]", force="BLOCKED")])
    assert [plan.symbol_decision("y", name).route for name in ("B[1]", "B1")] == ["ROUTE_BLOCKED", "ROUTE_BLOCKED"]


def test_pins_are_part_of_the_plans_identity(rows: Rows, decide: Decide) -> None:
    free, pinned = decide(rows(A={})), decide(rows(A={}), pins=[_pin(force="BOTH")])
    again = decide(rows(A={}), pins=[_pin(force="BOTH", reason="another reason")])
    assert len({plan.metadata.config_hash for plan in (free, pinned, again)}) == 3
    assert len({plan.plan_id for plan in (free, pinned, again)}) == 3


def test_a_pair_that_nothing_but_its_pin_decides_says_so(rows: Rows, decide: Decide) -> None:
    found = explain(decide(rows(A={}), pins=[_pin(force="ROUTE_BLOCKED")]), "y", "A")
    said = "no single change of a metric or a threshold gives another route: pin 1 ("
    assert found.flips == ()
    assert found.lines()[-1].startswith(said)
    assert said in explanation_markdown(found).replace("\\", "")


def test_of_several_pins_that_let_a_pool_train_that_of_the_first_symbol_is_named(rows: Rows, decide: Decide) -> None:
    table = rows(pooled=SIDES["DISALLOWED"], A=SIDES["DISALLOWED"], B=SIDES["DISALLOWED"])
    plan = decide(table, pins=[_pin(symbol=name, force="CROSS_SECTIONAL") for name in ("B", "A")])
    assert plan.cross_sectional("y").pinned_by == "pin 2 (y · A: told so)"

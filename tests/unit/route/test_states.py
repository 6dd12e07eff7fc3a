"""Each line of the state rules, on both sides, with nulls, NaN and missing columns."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from trainroute.records.routing import RoutingPlan

Rows = Callable[..., list[dict[str, Any]]]
Decide = Callable[..., RoutingPlan]

NAN = math.nan
# A change to STRONG evidence → the state of that side.
CHANGES = [
    ({}, "STRONG"),
    # Gates.
    ({"sample_size": 999}, "DISALLOWED"),
    ({"sample_size": None}, "DISALLOWED"),
    ({"sample_size": NAN}, "DISALLOWED"),
    ({"n_eff": 49.999}, "DISALLOWED"),
    ({"n_eff": None}, "DISALLOWED"),
    ({"n_eff": NAN}, "DISALLOWED"),
    ({"minority_events": 29}, "DISALLOWED"),
    ({"minority_events": 30}, "STRONG"),
    ({"minority_events": None}, "DISALLOWED"),
    ({"leakage_status": "BLOCKED"}, "DISALLOWED"),
    ({"attempted_model_families": ["Ridge"], "failed_model_families": ["Ridge"]}, "DISALLOWED"),
    ({"attempted_model_families": ["Ridge", "Tree"], "failed_model_families": ["Ridge"]}, "STRONG"),
    ({"attempted_model_families": []}, "DISALLOWED"),
    ({"attempted_model_families": None}, "DISALLOWED"),
    ({"failed_model_families": None}, "DISALLOWED"),
    ({"score_shrunk": None}, "DISALLOWED"),
    ({"score_shrunk": NAN}, "DISALLOWED"),
    ({"score": None}, "STRONG"),  # the shrunk one counts
    # STRONG.
    ({"score_shrunk": 0.57}, "STRONG"),
    ({"score_shrunk": 0.5699999}, "STRONG"),  # rounded to 6 decimals before it is compared
    ({"score_shrunk": 0.569999}, "WEAK_BUT_OK"),
    ({"stability": "DRIFTING"}, "STRONG"),
    ({"stability": "UNKNOWN"}, "STRONG"),
    ({"stability": None}, "STRONG"),
    ({"leakage_status": "SUSPECT"}, "WEAK_BUT_OK"),
    ({"leakage_status": "UNKNOWN"}, "STRONG"),
    ({"leakage_status": None}, "STRONG"),
    ({"score_ci_low": 0.5}, "WEAK_BUT_OK"),
    ({"score_ci_low": 0.500001}, "STRONG"),
    ({"score_ci_low": None}, "WEAK_BUT_OK"),
    ({"score_ci_low": NAN}, "WEAK_BUT_OK"),
    ({"p_skill": 0.99}, "STRONG"),
    ({"p_skill": 0.989}, "WEAK_BUT_OK"),
    # WEAK_BUT_OK.
    ({"score_shrunk": 0.53}, "WEAK_BUT_OK"),
    ({"score_shrunk": 0.529999}, "EXPERIMENTAL"),
    ({"p_skill": 0.85}, "WEAK_BUT_OK"),
    ({"p_skill": 0.849}, "EXPERIMENTAL"),
    # EXPERIMENTAL.
    ({"stability": "DIVERGED"}, "EXPERIMENTAL"),
    ({"score_shrunk": 0.51}, "EXPERIMENTAL"),
    ({"score_shrunk": 0.509999}, "DISALLOWED"),
    ({"p_skill": 0.8}, "EXPERIMENTAL"),
    ({"p_skill": 0.799}, "DISALLOWED"),
    ({"p_skill": None}, "DISALLOWED"),
    ({"p_skill": NAN}, "DISALLOWED"),
]
# One number for both sides, so that one list of cases serves both; none that the benchmarks may tune.
SAME = {
    "evidence": {"min_p_skill": {"strong": 0.99, "weak": 0.85, "experimental": 0.8}},
    "cross_sectional": {"min_score": 0.53, "strong_score": 0.57},
    "min_sample_size": {"cross_sectional": 1000, "symbol": 1000},
    "min_effective_size": {"cross_sectional": 50, "symbol": 50},
}


NAMED = {str(change): (change, state) for change, state in CHANGES}


def test_local_states(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(**{name: change for name, (change, _) in NAMED.items()}), **SAME)
    found = dict(plan.pairs.select("symbol", "local_state").iter_rows())
    assert found == {name: state for name, (_, state) in NAMED.items()}


def test_pooled_states(rows: Rows, decide: Decide) -> None:
    table = [{**row, "target": name} for name, (change, _) in NAMED.items() for row in rows(pooled=change, A={})]
    found = dict(decide(table, **SAME).pooled.select("target", "state").iter_rows())
    assert found == {name: state for name, (_, state) in NAMED.items()}


@pytest.mark.parametrize(
    ("column", "weak"),
    [
        ("score_shrunk", True),
        ("p_skill", True),
        ("score_ci_low", True),
        ("n_eff", True),
        ("minority_events", True),
        ("stability", True),
        ("leakage_status", True),
        ("attempted_model_families", True),
        ("score_ci_high", False),
        ("n_snapshots", False),
        ("failed_model_families", False),
    ],
)
def test_a_missing_column_caps_at_weak_and_is_named(rows: Rows, decide: Decide, column: str, *, weak: bool) -> None:
    decision = decide(rows(A={}), without=(column,)).symbol_decision("y", "A")
    assert decision.local_state == ("WEAK_BUT_OK" if weak else "STRONG")
    assert any("not provided" in reason and column in reason for reason in decision.reasons) == weak


@pytest.mark.parametrize("column", ["p_cs_skill", "p_local_better"])
def test_a_missing_column_between_the_sides_caps_nothing_and_is_named(rows: Rows, decide: Decide, column: str) -> None:
    decision = decide(rows(A={"p_cs_skill": 0.01}), without=(column,)).symbol_decision("y", "A")
    assert decision.local_state == "STRONG"
    assert any("not provided" in reason and column in reason for reason in decision.reasons)


def test_without_shrunk_scores_the_raw_one_counts(rows: Rows, decide: Decide) -> None:
    change = {"score": 0.6, "score_shrunk": 0.5}
    assert decide(rows(A=change)).symbol_decision("y", "A").local_state == "DISALLOWED"
    raw = decide(rows(A=change), evidence={"use_shrunk_score": False})
    assert raw.symbol_decision("y", "A").local_state == "STRONG"


@pytest.mark.parametrize(
    ("task", "state"), [("binary", "STRONG"), ("multiclass", "STRONG"), ("regression", "WEAK_BUT_OK")]
)
def test_thresholds_per_task(rows: Rows, decide: Decide, task: str, state: str) -> None:
    symbol = {"min_score": 0.53, "strong_score": {"classification": 0.57, "regression": 0.65}}
    decided = decide(rows(pooled={"task_type": task}, A={"task_type": task}), symbol=symbol)
    assert decided.symbol_decision("y", "A").local_state == state


def test_an_unknown_task_has_the_stricter_threshold(rows: Rows, decide: Decide) -> None:
    symbol = {"min_score": 0.53, "strong_score": {"classification": 0.57, "regression": 0.65}}
    decided = decide(rows(A={}), without=("task_type",), symbol=symbol)
    assert decided.symbol_decision("y", "A").local_state == "WEAK_BUT_OK"


@pytest.mark.parametrize(("task", "state"), [("regression", "STRONG"), ("binary", "DISALLOWED")])
def test_events_of_the_rarer_class_concern_classes_only(rows: Rows, decide: Decide, task: str, state: str) -> None:
    change = {"task_type": task, "minority_events": None}
    decided = decide(rows(pooled=change, A=change))
    assert decided.symbol_decision("y", "A").local_state == state


def test_the_lane_can_be_closed(rows: Rows, decide: Decide) -> None:
    decision = decide(rows(A={"score_shrunk": 0.52}), enable_experimental_lane=False).symbol_decision("y", "A")
    assert decision.local_state == "DISALLOWED"
    assert "local DISALLOWED: score 0.52 < 0.53" in decision.reasons


def test_the_lane_has_its_own_stabilities(rows: Rows, decide: Decide) -> None:
    lane = {"allowed_stabilities": ["STABLE"]}
    assert decide(rows(A={"stability": "DIVERGED"}), experimental=lane).symbol_decision("y", "A").local_state == (
        "DISALLOWED"
    )


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        ({"min_sample_size": {"cross_sectional": 1, "symbol": 0}}, {"sample_size": None, "minority_events": 400}),
        ({"min_effective_size": {"cross_sectional": 1, "symbol": 0}}, {"n_eff": None}),
        ({"min_minority_events": 0}, {"minority_events": None}),
        ({"require_min_successful_families": 0}, {"attempted_model_families": None}),
    ],
)
def test_a_minimum_of_zero_switches_its_rule_off(
    rows: Rows, decide: Decide, settings: dict[str, Any], change: dict[str, Any]
) -> None:
    assert decide(rows(A=change), **settings).symbol_decision("y", "A").local_state == "STRONG"


def test_too_few_snapshots_say_nothing_of_stability(rows: Rows, decide: Decide) -> None:
    lists = {"cross_sectional": ["STABLE", "UNKNOWN"], "symbol": ["STABLE"]}
    decided = decide(
        rows(A={"n_snapshots": 1}, B={"n_snapshots": 2}, C={"n_snapshots": None}), stability_allowlist=lists
    )
    assert [decided.symbol_decision("y", s).evidence.stability for s in "ABC"] == ["UNKNOWN", "STABLE", "UNKNOWN"]
    assert [decided.symbol_decision("y", s).local_state for s in "AB"] == ["EXPERIMENTAL", "STRONG"]


def test_leakage_that_does_not_block_is_still_no_better_than_suspect(rows: Rows, decide: Decide) -> None:
    decided = decide(rows(A={"leakage_status": "BLOCKED"}), block_on_leakage=False)
    assert decided.symbol_decision("y", "A").local_state == "WEAK_BUT_OK"

"""The explanation agrees with the decision, because both are the same rules."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trainroute.errors import UnknownNameError
from trainroute.records.routing import RoutingPlan
from trainroute.route import RuleOutcome, explain, load_routing_plan, survey, write_routing_plan

Rows = Callable[..., list[dict[str, Any]]]
Decide = Callable[..., RoutingPlan]


def _state(rules: Sequence[RuleOutcome]) -> str:
    """Read the state off the rules, by the contract's words."""
    passed = {level: all(r.passed for r in rules if r.level == level) for level in {r.level for r in rules}}
    if not passed["GATE"]:
        return "DISALLOWED"
    return next((s for s in ("STRONG", "WEAK_BUT_OK", "EXPERIMENTAL") if passed[s]), "DISALLOWED")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"score_shrunk": 0.55},
        {"p_skill": None},
        {"sample_size": 3, "minority_events": 0},
        {"stability": "DIVERGED"},
        {"leakage_status": "BLOCKED"},
    ],
)
def test_rules_give_the_state(rows: Rows, decide: Decide, change: dict[str, Any]) -> None:
    plan = decide(rows(pooled={"score_shrunk": 0.54}, A=change))
    found = explain(plan, "y", "A")
    assert found.decision == plan.symbol_decision("y", "A")
    assert _state(found.local_rules) == found.decision.local_state
    assert _state(found.pooled_rules) == found.cross_sectional.state == "WEAK_BUT_OK"


def test_each_rule_has_value_threshold_and_distance(rows: Rows, decide: Decide) -> None:
    rules = explain(decide(rows(A={"score_shrunk": 0.55})), "y", "A").local_rules
    strong = next(r for r in rules if r.level == "STRONG" and r.rule == "score")
    assert (strong.value, strong.relation, strong.threshold, strong.distance) == (0.55, "≥", 0.57, -0.02)
    assert not strong.passed
    assert strong.line() == "FAIL score: 0.55 ≥ 0.57 (-0.02)"
    stability = next(r for r in rules if r.rule == "stability")
    assert stability.line() == "pass stability: STABLE (must be one of STABLE, DRIFTING, UNKNOWN)"


def test_skipped_rules_say_so(rows: Rows, decide: Decide) -> None:
    rules = explain(decide(rows(A={}), without=("p_skill",)), "y", "A").local_rules
    skipped = next(r for r in rules if r.rule == "p_skill" and r.level == "STRONG")
    assert skipped.passed
    assert skipped.line() == "skip p_skill: not provided (≥ 0.99)"


def test_a_plan_from_disk_explains_itself_without_its_config(rows: Rows, decide: Decide, tmp_path: Path) -> None:
    plan = decide(rows(A={"score_shrunk": 0.55}), symbol={"min_score": 0.515, "strong_score": 0.545})
    write_routing_plan(plan, tmp_path / "routing_plan")
    loaded = load_routing_plan(tmp_path / "routing_plan", targets=["y"])
    assert explain(loaded, "y", "A") == explain(plan, "y", "A")


def test_a_config_key_among_the_columns_of_an_edited_plan_is_no_column(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(A={}))
    columns = (*plan.metadata.columns_provided, "routing.symbol.min_score")
    edited = replace(plan, metadata=msgspec.structs.replace(plan.metadata, columns_provided=columns))
    assert explain(edited, "y", "A") == explain(plan, "y", "A")


def test_lines_show_route_reasons_and_rules(rows: Rows, decide: Decide) -> None:
    lines = explain(decide(rows(A={"p_local_better": 0.9})), "y", "A").lines()
    assert lines[0] == "y · A: ROUTE_SYMBOL_SPECIFIC"
    assert "pooled side: STRONG, score 0.6 [0.56, 0.64], shrunk 0.6, p_skill 0.999" in lines
    assert "    pass p_skill: 0.999 ≥ 0.99 (+0.009)" in lines


def test_a_missing_pooled_row_is_explained(rows: Rows, decide: Decide) -> None:
    found = explain(decide(rows(A={})[1:]), "y", "A")
    assert found.pooled_rules[0].line() == "FAIL row: none (must be there)"
    assert "pooled side: DISALLOWED, not scored" in found.lines()


def test_unknown_names(rows: Rows, decide: Decide) -> None:
    with pytest.raises(UnknownNameError):
        explain(decide(rows(A={})), "y", "B")


def test_no_metric_is_offered_a_value_that_it_cannot_have(rows: Rows, decide: Decide) -> None:
    """Above 1 the local side would be better, below 0 the pool."""
    found = explain(decide(rows(A={}), evidence={"local_better_above": 1.0, "cs_better_below": 0.0}), "y", "A")
    assert found.flips
    assert all(0 <= flip.after <= 1 for flip in found.flips if flip.name == "p_local_better")


@pytest.mark.parametrize(("task", "group"), [("binary", "classification"), ("regression", "regression")])
def test_of_a_threshold_per_task_that_of_the_target_is_offered(
    rows: Rows, decide: Decide, task: str, group: str
) -> None:
    table = [{**row, "task_type": task} for row in rows(pooled={"score_shrunk": 0.4}, A={"score_shrunk": 0.55})]
    minimum = {"classification": 0.53, "regression": 0.54}
    found = explain(decide(table, symbol={"min_score": minimum, "strong_score": 0.57}), "y", "A")
    keys = {flip.name for flip in found.flips if flip.name.startswith("routing.symbol.min_score")}
    assert keys == {f"routing.symbol.min_score.{group}"}


def test_a_survey_lists_what_has_no_margin_last_and_offers_only_what_changes_a_state(
    rows: Rows, decide: Decide
) -> None:
    weak = {"score_shrunk": 0.4, "p_skill": 0.985}
    table = rows(A={"score": None, "score_shrunk": None, "p_skill": None}, B=weak, C={"score_shrunk": 0.535})
    found = survey(decide(table), target="y").pairs
    assert found["symbol"].to_list() == ["C", "B", "A"]
    assert found.select("nearest", "distance").rows()[2] == (None, None)
    assert found["nearest"].to_list()[:2] == ["min_score", "experimental_score"]  # strong_p_skill is nearer to B


def test_the_score_that_the_lane_ranks_by_is_offered_though_no_rule_compares_it(rows: Rows, decide: Decide) -> None:
    pool, short = {"score_shrunk": 0.515, "p_skill": 0.85}, {"sample_size": 500}
    scores = {"A": 0.55, "B": 0.549, "C": 0.53}
    table = rows(pooled=pool, **{name: {**short, "cs_score_shrunk": score} for name, score in scores.items()})
    plan = decide(table, experimental={"max_fraction_symbols_per_target": 0.34})
    for symbol, after, route in (("B", 0.550001, "ROUTE_EXPERIMENTAL_ONLY"), ("A", 0.548999, "ROUTE_BLOCKED")):
        nearest = explain(plan, "y", symbol).nearest_metric_flip
        assert nearest is not None
        assert (nearest.side, nearest.name, nearest.after, nearest.route) == ("local", "cs_score_shrunk", after, route)


@pytest.mark.parametrize(("count", "after", "route"), [(0, 1, "ROUTE_SYMBOL_SPECIFIC"), (1, 0, "ROUTE_BLOCKED")])
def test_a_forced_route_asks_for_one_row(rows: Rows, decide: Decide, count: int, after: int, route: str) -> None:
    pin = {"target": "y", "force": "SYMBOL_SPECIFIC", "reason": "r", "expires": "2027-01-31"}
    plan = decide(rows(A={"sample_size": count, "minority_events": 0}), pins=[pin], generated_at="2026-01-01")
    flip = next(flip for flip in explain(plan, "y", "A").flips if flip.name == "sample_size")
    assert (flip.side, flip.before, flip.after, flip.route) == ("local", count, after, route)

"""Leakage, the service of the pool, missing rows, reasons and margins."""

from collections.abc import Callable
from typing import Any

import pytest

from trainroute.config.schema import Config
from trainroute.errors import UnknownNameError
from trainroute.records.routing import RoutingPlan

Rows = Callable[..., list[dict[str, Any]]]
Decide = Callable[..., RoutingPlan]


def test_a_leaking_target_blocks_every_local_side(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(pooled={"leakage_status": "BLOCKED"}, A={}, B={}))
    assert plan.cross_sectional("y").state == "DISALLOWED"
    for symbol in "AB":
        decision = plan.symbol_decision("y", symbol)
        assert (decision.route, decision.local_state) == ("ROUTE_BLOCKED", "DISALLOWED")
        assert decision.blocked_by == "leakage of the target"
        assert "local DISALLOWED: leakage of the target is BLOCKED" in decision.reasons


def test_a_leaking_symbol_is_blocked_though_the_pool_is_strong(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(A={"leakage_status": "BLOCKED"}, B={}))
    decision = plan.symbol_decision("y", "A")
    assert (decision.route, decision.cs_state, decision.blocked_by) == ("ROUTE_BLOCKED", "DISALLOWED", "leakage")
    assert "pooled STRONG, but not for this symbol: leakage of the symbol is BLOCKED" in decision.reasons
    assert plan.symbol_decision("y", "B").route == "ROUTE_BOTH"


def test_without_block_on_leakage_nothing_is_blocked_by_it(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(pooled={"leakage_status": "BLOCKED"}, A={"leakage_status": "BLOCKED"}), block_on_leakage=False)
    assert plan.symbol_decision("y", "A").route == "ROUTE_BOTH"


def test_unknown_leakage_blocks_nothing_and_is_named(rows: Rows, decide: Decide) -> None:
    decision = decide(rows(A={"leakage_status": "UNKNOWN"})).symbol_decision("y", "A")
    assert decision.local_state == "STRONG"
    assert "leakage of the local side UNKNOWN" in decision.reasons


@pytest.mark.parametrize(
    ("p", "cs_state"), [(0.0, "DISALLOWED"), (0.499999, "DISALLOWED"), (0.5, "STRONG"), (None, "STRONG")]
)
def test_a_symbol_leaves_the_pool_only_on_evidence(rows: Rows, decide: Decide, p: float | None, cs_state: str) -> None:
    decision = decide(rows(A={"p_cs_skill": p, "score_shrunk": 0.5})).symbol_decision("y", "A")
    assert decision.cs_state == cs_state
    assert decision.route == ("ROUTE_BLOCKED" if cs_state == "DISALLOWED" else "ROUTE_CROSS_SECTIONAL")


def test_a_new_symbol_of_a_good_target_is_served_by_the_pool(rows: Rows, decide: Decide) -> None:
    nothing = dict.fromkeys(("score", "score_shrunk", "score_ci_low", "score_ci_high", "p_skill", "n_eff"))
    new = {**nothing, "sample_size": 3, "minority_events": 0, "attempted_model_families": []}
    assert decide(rows(A=new)).symbol_decision("y", "A").route == "ROUTE_CROSS_SECTIONAL"


def test_a_missing_pooled_row_is_no_evidence_for_the_pool(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(A={}, B={"score_shrunk": 0.5})[1:])
    pooled = plan.cross_sectional("y")
    assert (pooled.state, pooled.measured) == ("DISALLOWED", False)
    assert pooled.reasons[0].startswith("pooled DISALLOWED: the candidates hold no CROSS_SECTIONAL row")
    assert plan.symbol_decision("y", "A").route == "ROUTE_SYMBOL_SPECIFIC"
    assert plan.symbol_decision("y", "B").route == "ROUTE_BLOCKED"


def test_a_target_without_symbols_has_its_pooled_decision(rows: Rows, decide: Decide) -> None:
    plan = decide(rows())
    assert plan.cross_sectional("y").state == "STRONG"
    assert plan.pairs.height == 0


def test_the_least_table_that_a_user_may_bring(rows: Rows, decide: Decide) -> None:
    least = [{key: row[key] for key in ("target", "symbol", "score", "sample_size")} for row in rows(A={}, B={})]
    plan = decide(least)
    assert plan.cross_sectional("y").state == "WEAK_BUT_OK"
    decision = plan.symbol_decision("y", "A")
    assert (decision.route, decision.local_state) == ("ROUTE_BOTH", "WEAK_BUT_OK")
    assert "p_local_better not provided" in decision.reasons[0]


def test_margins_are_value_minus_threshold(rows: Rows, decide: Decide) -> None:
    changed = {"score_shrunk": 0.5500004, "p_skill": 0.97, "score_ci_low": None, "n_eff": 60.5, "p_local_better": 0.1}
    margins = decide(rows(A=changed)).symbol_decision("y", "A").margins
    assert margins.min_score == 0.02
    assert margins.strong_score == -0.02
    assert margins.experimental_score == 0.04
    assert margins.strong_p_skill == -0.02
    assert margins.min_p_skill == 0.17
    assert margins.strong_ci_low is None
    assert margins.n_eff == 10.5
    assert margins.sample_size == 8000.0
    assert margins.p_cs_skill == 0.4
    assert margins.local_better_above == -0.45
    assert margins.cs_better_below == -0.35


def test_reasons_name_each_failed_rule_with_its_numbers(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(A={"sample_size": 840, "n_eff": 21.0, "minority_events": 3}, B={"score_shrunk": 0.55}))
    assert plan.symbol_decision("y", "A").reasons == (
        "CROSS_SECTIONAL: only the pooled side is good enough",
        "pooled STRONG",
        "local DISALLOWED: rows 840 < 1000; independent windows 21.0 < 50; events of the rarer class 3 < 30",
    )
    assert plan.symbol_decision("y", "B").reasons[2] == "local WEAK_BUT_OK, not STRONG: score 0.55 < 0.57"
    assert plan.cross_sectional("y").reasons == ("pooled STRONG: score 0.6 ≥ 0.55",)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"sample_size": 1, "minority_events": 0}, "too few rows"),
        ({"n_eff": 1.0}, "too few independent windows"),
        ({"minority_events": 1}, "too few events of the rarer class"),
        ({"attempted_model_families": []}, "too few families succeeded"),
        ({"score_shrunk": None}, "no score"),
        ({"score_shrunk": 0.5}, "below the score minimum"),
        ({"p_skill": 0.5}, "not enough evidence of skill"),
    ],
)
def test_each_cause_of_blocking_is_counted(rows: Rows, decide: Decide, change: dict[str, Any], cause: str) -> None:
    decision = decide(rows(pooled={"score_shrunk": 0.5}, A=change)).symbol_decision("y", "A")
    assert (decision.route, decision.blocked_by) == ("ROUTE_BLOCKED", cause)


def test_unknown_names_are_refused(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(AAPL={}))
    with pytest.raises(UnknownNameError, match=r"unknown symbol of target 'y' 'AAPPL'; did you mean 'AAPL'\?"):
        plan.symbol_decision("y", "AAPPL")
    with pytest.raises(UnknownNameError, match="unknown target 'z'; known: y"):
        plan.symbol_decision("z", "AAPL")


def test_the_identity_holds_the_decisions_and_the_settings_only(rows: Rows, decide: Decide) -> None:
    plan = decide(rows(A={}))
    assert plan.plan_id == decide(rows(A={"timestamp": "later"})).plan_id
    assert plan.plan_id != decide(rows(A={"score_shrunk": 0.61})).plan_id
    assert plan.plan_id != decide(rows(A={}), min_minority_events=29).plan_id
    assert plan.plan_id == decide(rows(A={}), dump_plan_as=["JSON"]).plan_id
    assert plan.metadata.config_hash == Config().config_hash


def test_a_pool_that_serves_nobody_is_not_said_to_leave_a_symbol_out(rows: Rows, decide: Decide) -> None:
    decision = decide(rows(pooled={"score_shrunk": 0.5}, A={"p_cs_skill": 0.1})).symbol_decision("y", "A")
    assert "pooled DISALLOWED" in decision.reasons

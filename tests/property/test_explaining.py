"""The nearest flips are real, and nothing nearer flips; the causes of a difference are those that were planted."""

import random
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainroute.config.override import with_settings
from trainroute.config.schema import Config
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import Flip, RouteChanges, build_routing_plan, compare_routes, explain

Row = dict[str, Any]
CONFIG = Config.model_validate({"routing": {"experimental": {"max_fraction_symbols_per_target": 0.4}}})
COUNTS = ("sample_size", "minority_events")


def _row(rng: random.Random, target: str, symbol: str | None) -> Row:
    score = round(rng.uniform(0.5, 0.6), 6)
    return {
        "target": target,
        "symbol": symbol,
        "score": score,
        "score_shrunk": round(0.5 + 0.9 * (score - 0.5), 6),
        "score_ci_low": round(score - 0.02, 6),
        "p_skill": round(rng.uniform(0.7, 1.0), 6),
        "cs_score": round(rng.uniform(0.5, 0.6), 6),
        "cs_score_shrunk": round(rng.uniform(0.5, 0.6), 6),
        "p_cs_skill": round(rng.uniform(0.3, 1.0), 6),
        "p_local_better": round(rng.random(), 6),
        "stability": rng.choice(["STABLE", "STABLE", "DRIFTING", "DIVERGED"]),
        "n_snapshots": rng.choice([3, 4]),
        "leakage_status": rng.choice(["SAFE", "SAFE", "SAFE", "SUSPECT"]),
        "sample_size": rng.choice([900, 3000, 3000]) if symbol else 9000,
        "n_eff": rng.choice([40.0, 300.0, 300.0]) if symbol else 300.0,
        "minority_events": rng.choice([25, 300, 300]),
        "attempted_model_families": ["A", "B"],
        "failed_model_families": [],
        "task_type": "binary",
    }


def _rows(seed: int) -> list[Row]:
    rng = random.Random(seed)
    symbols = [None, *(f"S{number}" for number in range(8))]
    return [_row(rng, target, symbol) for target in ("y_a", "y_b") for symbol in symbols]


def _decide(rows: list[Row], config: Config = CONFIG, previous: RoutingPlan | None = None) -> RoutingPlan:
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "planted")
    return build_routing_plan(table, config, generated_at="2026-01-01", git_commit=None, previous=previous)


def _route(plan: RoutingPlan, target: str, symbol: str) -> str:
    return plan.symbol_decision(target, symbol).route.value


def _with(rows: list[Row], target: str, symbol: str | None, **changed: Any) -> list[Row]:
    return [{**row, **changed} if (row["target"], row["symbol"]) == (target, symbol) else row for row in rows]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
@example(738399)  # another symbol falls into the lane and takes the place of the pair
def test_a_flip_flips_and_nothing_nearer_does(seed: int) -> None:
    rows = _rows(seed)
    plan, symbol = _decide(rows), f"S{seed % 8}"
    route = _route(plan, "y_a", symbol)
    for flip in explain(plan, "y_a", symbol).flips:
        assert _tried(rows, symbol, flip, flip.after) == flip.route.value != route, flip
        for nearer in _nearer(flip):
            assert _tried(rows, symbol, flip, nearer) == route, (flip, nearer)


EXTREMES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("score_shrunk", "p_skill", "score_ci_low"), (0.0, 1.0)),
    **dict.fromkeys(("cs_score_shrunk", "p_cs_skill", "p_local_better"), (0.0, 1.0)),
    "sample_size": (300, 10**6),
    "minority_events": (0, 900),
    "n_eff": (0.0, 1e6),
}


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10**6))
def test_what_gives_another_route_at_an_extreme_is_listed(seed: int) -> None:
    rows, symbol = _rows(seed), f"S{seed % 8}"
    plan = _decide(rows)
    route, listed = _route(plan, "y_a", symbol), {(f.side, f.name) for f in explain(plan, "y_a", symbol).flips}
    for side, where in (("pooled", None), ("local", symbol)):
        for name, values in EXTREMES.items():
            routes = {_route(_decide(_with(rows, "y_a", where, **{name: value})), "y_a", symbol) for value in values}
            assert routes == {route} or (side, name) in listed, (side, name, routes)


def _nearer(flip: Flip) -> list[float]:
    if flip.change is None or not isinstance(flip.after, int | float) or not isinstance(flip.before, int | float):
        return []
    if isinstance(flip.before, int):
        return [flip.after - (1 if flip.change > 0 else -1)]
    nearer = [round(flip.after - (2e-6 if flip.change > 0 else -2e-6), 6), (flip.before + flip.after) / 2]
    return [value for value in nearer if (value - flip.before) * flip.change > 0] if abs(flip.change) > 1e-5 else []


def _tried(rows: list[Row], symbol: str, flip: Flip, value: Any) -> str:
    if flip.kind == "threshold":
        return _route(_decide(rows, with_settings(CONFIG, {flip.name: value})), "y_a", symbol)
    where = symbol if flip.side == "local" else None
    if flip.name == "successful_families":
        names = ["A", "B", "C"][: int(value)]
        return _route(_decide(_with(rows, "y_a", where, attempted_model_families=names)), "y_a", symbol)
    return _route(_decide(_with(rows, "y_a", where, **{flip.name: value})), "y_a", symbol)


BOTH_STRONG: Row = {
    "score_shrunk": 0.6,
    "score_ci_low": 0.57,
    "p_skill": 0.999,
    "p_cs_skill": 0.9,
    "p_local_better": 0.5,
    "stability": "STABLE",
    "leakage_status": "SAFE",
    "sample_size": 9000,
    "n_eff": 300.0,
    "minority_events": 300,
}
"""A pair whose route any of its columns can change."""


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["score_shrunk", "p_skill", "n_eff", "p_local_better", "p_cs_skill"]))
def test_the_score_of_one_pair_is_named(seed: int, column: str) -> None:
    rows = _with(_with(_rows(seed), "y_a", None, **BOTH_STRONG), "y_a", "S1", **BOTH_STRONG)
    before = _decide(rows)
    value = {"n_eff": 10.0, "p_local_better": 0.95, "p_cs_skill": 0.1}.get(column, 0.5)
    after = _decide(_with(rows, "y_a", "S1", **{column: value}))
    found = compare_routes(before, after)
    assert _route(before, "y_a", "S1") != _route(after, "y_a", "S1")
    assert set(found.kinds()) == {"metric"}
    named = next(change for change in found.changes() if change.symbol == "S1")
    assert {cause.metric for cause in named.causes} - {"place in the experimental lane"} <= {column}
    assert named.causes
    assert {change.target for change in found.changes()} == {"y_a"}


THRESHOLDS: dict[str, Any] = {
    "routing.symbol.min_score": 0.545,
    "routing.cross_sectional.min_score": 0.545,
    "routing.evidence.min_p_skill.weak": 0.95,
    "routing.evidence.local_better_above": 0.9,
    "routing.evidence.cs_better_below": 0.54,
    "routing.evidence.cs_on_symbol_below": 0.8,
    "routing.evidence.use_shrunk_score": False,
    "routing.min_sample_size.symbol": 2_000_000,
    "routing.min_effective_size.symbol": 301,
    "routing.min_minority_events": 301,
    "routing.both_strong_behavior": "PREFER_CS",
    "routing.stability_allowlist.symbol": ["DIVERGED"],
    "routing.stability_classification.min_snapshots_for_stability": 4,
    "routing.experimental.max_fraction_symbols_per_target": 0.0,
    "routing.enable_experimental_lane": False,
    "routing.pins": [
        {"target": "y_*", "symbol": "S1", "force": "BLOCKED", "reason": "planted", "expires": "2027-01-01"}
    ],
}


STRICT = with_settings(CONFIG, {"routing.stability_allowlist.symbol": ["STABLE"]})


@cache
def _strictly_decided(seed: int) -> RoutingPlan:
    return _decide(_rows(seed), STRICT)


@pytest.mark.parametrize("key", THRESHOLDS)
def test_the_setting_that_changed_is_named(key: str) -> None:
    rerouted = 0
    for seed in range(30):
        if rerouted and seed > 2:
            break
        changed = with_settings(STRICT, {key: THRESHOLDS[key]})
        found = compare_routes(_strictly_decided(seed), _decide(_rows(seed), changed))
        named = {"routing.pins[y_* · S1: planted]"} if key == "routing.pins" else {key}
        assert set(found.settings) == named
        assert set(found.kinds()) <= {"config"}
        assert all({cause.key for cause in change.causes} == named for change in found.changes()), found.changes()
        assert set(found.causes()) <= {*named, key}
        rerouted += found.rerouted.height
    assert rerouted


@pytest.mark.parametrize("seed", [2, 4])
def test_appended_data_are_named(seed: int) -> None:
    rows = _rows(seed)
    grown = [{**row, "sample_size": row["sample_size"] * 2, "n_eff": row["n_eff"] * 2} for row in rows]
    found = compare_routes(_decide(rows), _decide(grown))
    assert set(found.kinds()) == {"data"}
    for change in found.changes():
        metrics = {cause.metric for cause in change.causes}
        assert metrics <= {"sample_size", "n_eff", "place in the experimental lane"}
        assert metrics
    assert " rows): " in next(change.why for change in found.changes() if change.causes)


def test_data_that_were_revised_are_data_too() -> None:
    rows = _rows(3)
    found = compare_routes(_decide(rows), _decide(_with(rows, "y_a", "S1", p_skill=0.0)), data_changed=True)
    assert set(found.kinds()) <= {"data"}


def test_new_pairs_and_lost_ones() -> None:
    rows = _rows(5)
    without = [row for row in rows if row["symbol"] != "S7"]
    found = compare_routes(_decide(without), _decide(rows))
    new = [change for change in found.changes() if change.kind == "new pair"]
    assert [(c.target, c.symbol, c.before) for c in new] == [("y_a", "S7", None), ("y_b", "S7", None)]
    gone = compare_routes(_decide(rows), _decide(without)).changes()
    assert {(c.target, c.symbol) for c in gone if c.kind == "gone"} == {("y_a", "S7"), ("y_b", "S7")}


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_metric_and_setting_together_are_both_named(seed: int) -> None:
    """The score falls to where only the new threshold takes it out, and it was above even that one before."""
    rows = _with(_rows(seed), "y_a", "S1", score_shrunk=0.58, p_skill=0.97, n_eff=300.0, minority_events=300)
    rows = _with(rows, "y_a", "S1", sample_size=3000, stability="STABLE", leakage_status="SAFE", p_local_better=0.99)
    lower = _with(rows, "y_a", "S1", score_shrunk=0.54)
    raised = with_settings(CONFIG, {"routing.symbol.min_score": 0.55})
    found: RouteChanges = compare_routes(_decide(rows), _decide(lower, raised))
    change = next(change for change in found.changes() if (change.target, change.symbol) == ("y_a", "S1"))
    assert change.kind == "metric and config"
    cause = next(cause for cause in change.causes if cause.key == "routing.symbol.min_score")
    assert (cause.by, cause.metric) == ("metric and config", "score_shrunk")
    assert (cause.value_before, cause.value_after) == (0.58, 0.54)
    assert (cause.threshold_before, cause.threshold_after) == (0.53, 0.55)


HELD = with_settings(CONFIG, {"routing.hysteresis": {"score_margin": 0.04, "probability_margin": 0.3}})


def test_under_hysteresis_the_one_thing_that_changed_is_named() -> None:
    kinds: dict[str, set[str]] = {"previous plan": set(), "evidence": set(), "setting": set()}
    raised = with_settings(HELD, {"routing.symbol.min_score": 0.545, "routing.cross_sectional.min_score": 0.545})
    for seed in range(5):
        rows, first, second = _rows(seed), _decide(_rows(seed + 100), HELD), _decide(_rows(seed + 200), HELD)
        before = _decide(rows, HELD, first)
        kinds["previous plan"] |= set(compare_routes(before, _decide(rows, HELD, second)).kinds())
        kinds["evidence"] |= set(compare_routes(before, _decide(_rows(seed + 300), HELD, first)).kinds())
        kinds["setting"] |= set(compare_routes(before, _decide(rows, raised, first)).kinds())
    assert kinds == {"previous plan": {"hysteresis"}, "evidence": {"metric", "data"}, "setting": {"config"}}


def test_equal_plans_do_not_differ() -> None:
    found = compare_routes(_decide(_rows(1)), _decide(_rows(1)))
    assert found.same
    assert (found.kinds(), found.causes(), found.transitions(), found.changes()) == ({}, {}, {}, [])

"""What a tried value gives is what a plan gives that is made with it: many at once, alone and among all symbols."""

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainroute.config.keys import flat_settings
from trainroute.config.override import with_settings
from trainroute.config.schema import Config
from trainroute.errors import ConfigError
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan
from trainroute.route.decide import routed, routes_of
from trainroute.route.experimental import LANE_KEY, in_queue
from trainroute.route.flip import flips_of
from trainroute.route.recorded import facts_of_plan
from trainroute.route.rerouting import Rerouting
from trainroute.route.trials import STEP, Trial, trials_of

LANE = {"experimental": {"max_fraction_symbols_per_target": 0.4}}
MARGINS = {"hysteresis": {"score_margin": 0.01, "probability_margin": 0.05}}
BY_TASK = {
    "symbol": {
        "min_score": {"classification": 0.53, "regression": 0.52},
        "strong_score": {"classification": 0.57, "regression": 0.54},
    }
}
NOTHING_ASKED = {
    "min_effective_size": {"cross_sectional": 0, "symbol": 0},
    "min_minority_events": 0,
    "evidence": {"min_p_skill": {"strong": 0.99, "weak": 0.95, "experimental": 0.0}},
}
CONFIGS = [Config.model_validate({"routing": {**LANE, **other}}) for other in ({}, MARGINS, BY_TASK, NOTHING_ASKED)]
NO_RULE = ("routing.stability_classification.", "routing.hysteresis.")  # no rule compares with these
SYMBOLS = [f"S{number:02d}" for number in range(20)]
Draw = Callable[[random.Random], Any]
GOOD: dict[str, Any] = {
    "score": 0.6,
    "score_shrunk": 0.6,
    "score_ci_low": 0.57,
    "cs_score": 0.6,
    "cs_score_shrunk": 0.6,
    "p_skill": 0.999,
    "p_cs_skill": 0.9,
    "p_local_better": 0.5,
    "stability": "STABLE",
    "leakage_status": "SAFE",
    "sample_size": 9000,
    "n_eff": 300.0,
    "minority_events": 300,
    "attempted_model_families": ["A", "B"],
}
OTHER: dict[str, Draw] = {
    **{name: lambda rng: rng.uniform(0.49, 0.6) for name in GOOD if "score" in name},
    "p_skill": lambda rng: rng.choice([None, rng.uniform(0.75, 1.0)]),
    "p_cs_skill": lambda rng: rng.choice([None, rng.random()]),
    "p_local_better": lambda rng: rng.choice([None, rng.random()]),
    "stability": lambda rng: rng.choice(["DRIFTING", "DIVERGED"]),
    "leakage_status": lambda rng: rng.choice(["SUSPECT", "BLOCKED"]),
    "sample_size": lambda rng: rng.choice([900, 3000]),
    "n_eff": lambda rng: rng.choice([None, 40.0]),
    "minority_events": lambda rng: rng.choice([None, 25]),
    "attempted_model_families": lambda rng: ["A"][: rng.randint(0, 1)],
}


def _table(rng: random.Random) -> pl.DataFrame:
    """A pool and its symbols: some columns of each are good, the others lie around the thresholds or are missing."""
    rows = []
    for symbol in [None, *SYMBOLS]:
        share = 0.02 if symbol is None else rng.choice([0.1, 0.2, 0.4])
        drawn = {name: draw(rng) for name, draw in OTHER.items() if rng.random() < share}
        rows.append({**GOOD, **drawn, "symbol": symbol})
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        target=pl.lit("y"),
        n_snapshots=3,
        task_type=pl.lit(rng.choice(["binary", "regression", None]), pl.String),
        failed_model_families=pl.lit([], pl.List(pl.String)),
    )


def _decided(table: pl.DataFrame, config: Config, previous: RoutingPlan | None = None) -> RoutingPlan:
    candidates = validate_candidates(table, "planted")
    return build_routing_plan(candidates, config, generated_at="2026-01-01", git_commit=None, previous=previous)


def _trials(rng: random.Random, config: Config) -> list[Trial]:
    """Other values of every number that a rule compares with, and every switch the other way round."""
    trials = []
    for key, before in flat_settings(config.routing.model_dump(mode="json"), "routing").items():
        if isinstance(before, bool):
            trials.append(Trial(side=None, name=key, before=before, after=not before))
        elif isinstance(before, int) and not key.startswith(NO_RULE):
            trials += [Trial(side=None, name=key, before=before, after=value) for value in (0, 1, 2, 100, 1000, 10**6)]
        elif isinstance(before, float) and not key.startswith(NO_RULE):
            values = [0.0, 1.0, *(round(rng.uniform(*ends), 6) for ends in ((0.51, 0.54), (0.5, 0.57), (0.3, 1.0)))]
            trials += [Trial(side=None, name=key, before=before, after=value) for value in values]
    return trials


@pytest.mark.parametrize("number", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, len(CONFIGS)))])
@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10**6))
def test_a_tried_setting_gives_what_a_plan_with_it_gives(number: int, seed: int) -> None:
    rng, config = random.Random(seed), CONFIGS[number]
    table, previous = _table(rng), _decided(_table(rng), CONFIGS[0])
    facts, trials = facts_of_plan(_decided(table, config, previous), ["y"]), _trials(rng, config)
    _, pairs = routed(facts, config.routing)
    found = {symbol: Rerouting(facts, config.routing, pairs, symbol).routes(trials) for symbol in SYMBOLS}
    for trial in trials:
        routes = {symbol: found[symbol].get(trial) for symbol in SYMBOLS}
        assert routes == _routes_with(table, config, previous, trial), trial


def _routes_with(table: pl.DataFrame, config: Config, previous: RoutingPlan, trial: Trial) -> dict[str, str | None]:
    try:
        changed = with_settings(config, {trial.name: trial.after})
    except ConfigError:
        return dict.fromkeys(SYMBOLS)
    routes = routes_of(validate_candidates(table, "planted"), changed, previous)
    return dict(routes.select("symbol", "route").rows())


def _crowded(rng: random.Random) -> pl.DataFrame:
    """A weak pool and symbols that a gate moves into its lane, or within it: their own scores are another order."""
    number = pl.int_range(len(SYMBOLS) + 1, eager=True)
    drawn = {
        "score_shrunk": (0.5, 0.56),
        "cs_score_shrunk": (0.5, 0.53),
        "n_eff": (20, 400),
        "sample_size": (300, 6000),
    }
    columns = {name: [float(rng.uniform(*ends)) for _ in number] for name, ends in drawn.items()}
    table = _table(rng).with_columns(pl.Series(name, values) for name, values in columns.items())
    good = {name: value for name, value in GOOD.items() if name not in columns and name != "attempted_model_families"}
    some = [rng.random() < 0.15 for _ in number]  # nothing to compare: some rules ask nothing at zero
    skill = [rng.choice([None, 0.5, 0.85, 0.97, 0.999]) for _ in number]
    pool = pl.col("symbol").is_null()
    weak = {"score_shrunk": 0.515, "n_eff": 300.0, "sample_size": 9000.0}
    table = table.with_columns(**{name: pl.lit(value) for name, value in good.items()}).with_columns(
        pl.when(pl.Series(some)).then(None).otherwise("n_eff").alias("n_eff"),
        p_skill=pl.Series(skill, dtype=pl.Float64),
    )
    return table.with_columns(pl.when(pool).then(value).otherwise(name).alias(name) for name, value in weak.items())


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CONFIGS))
def test_no_setting_nearer_moves_others_so_that_a_pair_of_the_queue_flips(seed: int, config: Config) -> None:
    rng = random.Random(seed)
    tables = [_crowded(rng).cast({"sample_size": pl.Int64}) for _ in range(2)]
    facts = facts_of_plan(_decided(tables[1], config, _decided(tables[0], CONFIGS[0])), ["y"])
    _, pairs = routed(facts, config.routing)
    before = flat_settings(config.routing.model_dump(mode="json"), "routing")
    for symbol, route in pairs.filter(in_queue()).sort("route").select("symbol", "route").head(4).rows():
        rerouting = Rerouting(facts, config.routing, pairs, symbol)
        flips_at = trials_of(facts, config.routing, pairs, symbol)
        moving = flips_at.others.select("key", "value").unique().rows()
        numbers = {key for key, _ in moving}
        moving += [(key, at) for key in numbers for at in (0, STEP if isinstance(before[key], float) else 1)]
        moving += [(trial.name, trial.after) for trial in flips_at.thresholds if trial.name in numbers]
        places = [number / len(SYMBOLS) for number in range(len(SYMBOLS) + 1)]
        moving += [(LANE_KEY, round(at + step, 6)) for at in places for step in (0, STEP, -STEP) if 0 <= at + step <= 1]
        tried = [
            Trial(side=None, name=key, before=before[key], after=type(before[key])(value))
            for key, value in moving
            if value != before[key]
        ]
        flips = {flip.name: abs(flip.change) for flip in flips_of(facts, config.routing, symbol) if flip.change}
        for trial, other in rerouting.routes(tried).items():
            if other != route:
                assert flips[trial.name] <= abs(trial.change or 0) + 1e-9, (symbol, trial)

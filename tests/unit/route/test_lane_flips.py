"""Where the nearest flip of a pair in the queue of the lane lies at an edge: each was once missed or too far."""

from typing import Any

import polars as pl
import pytest

from trainroute.config.override import with_settings
from trainroute.config.schema import Config
from trainroute.records.candidates_io import validate_candidates
from trainroute.route import build_routing_plan, explain
from trainroute.route.decide import routes_of

LANE = "routing.experimental.max_fraction_symbols_per_target"
SKILL = "routing.evidence.min_p_skill.experimental"
TEN = {f"S{number}": {"score": 0.52 - number / 1000} for number in range(10)}
QUIET = {f"Q{number}": {"score": 0.5, "p_skill": 0.5} for number in range(4)}
UNKNOWN = {
    "A": {"score": 0.525, "p_skill": None},
    "B": {"score": 0.515, "p_skill": 0.9},
    "C": {"score": 0.52, "p_skill": 0.7},
}


def _skill(experimental: float) -> dict[str, Any]:
    return {"min_p_skill": {"strong": 0.99, "weak": 0.95, "experimental": experimental}}


def _lane(share: float, **more: Any) -> dict[str, Any]:
    return {"experimental": {"max_fraction_symbols_per_target": share}, **more}


@pytest.mark.parametrize(
    ("pool", "symbols", "routing", "symbol", "key", "nearest"),
    [
        pytest.param(
            {"score": 0.515, "p_skill": 0.85},
            {"P": {"score": 0.512, "p_skill": 0.9}, **QUIET},
            _lane(0.2, evidence=_skill(0.8)),
            "P",
            SKILL,
            0.850001,
            id="others have steps in the other direction only",
        ),
        pytest.param(
            {"score": 0.4, "n_eff": 300.0},
            {"A": {"score": 0.52, "n_eff": None}, "B": {"score": 0.515, "n_eff": 300.0}},
            _lane(0.5),
            "B",
            "routing.min_effective_size.symbol",
            0,
            id="another symbol has nothing to compare, and zero asks nothing",
        ),
        pytest.param(
            {"score": 0.4, "p_skill": 0.9},
            UNKNOWN,
            _lane(0.34, evidence=_skill(0.0)),
            "C",
            SKILL,
            1e-06,
            id="from zero",
        ),
        pytest.param(
            {"score": 0.4, "p_skill": 0.9},
            UNKNOWN,
            _lane(0.34, evidence=_skill(0.0)),
            "B",
            SKILL,
            0.700001,
            id="beyond",
        ),
        pytest.param(
            {"score": 0.515},
            {"A": {"score": 0.53}, "B": {"score": 0.52}, "C": {"score": 0.505}},
            {
                "symbol": {"min_score": 0.5300004, "strong_score": 0.57},
                "experimental": {"min_score": 0.51, "max_fraction_symbols_per_target": 0.34},
            },
            "B",
            "routing.symbol.min_score",
            0.53,
            id="a threshold of more decimals than a score has",
        ),
        pytest.param({"score": 0.4}, TEN, {}, "S1", LANE, 0.199999, id="the last place of the lane"),
        pytest.param({"score": 0.4}, TEN, {}, "S3", LANE, 0.4, id="the share that reaches a pair"),
    ],
)
def test_the_nearest_flip_is_found_and_true(
    pool: dict[str, Any],
    symbols: dict[str, dict[str, Any]],
    routing: dict[str, Any],
    symbol: str,
    key: str,
    nearest: float,
) -> None:
    rows = [{"symbol": None, "sample_size": 9000, **pool}]
    rows += [{"symbol": name, "sample_size": 3000, **metrics} for name, metrics in symbols.items()]
    table = validate_candidates(
        pl.DataFrame(rows, infer_schema_length=None).with_columns(target=pl.lit("y")), "planted"
    )
    config = Config.model_validate({"routing": routing})
    plan = build_routing_plan(table, config, generated_at="2026-01-01", git_commit=None)
    found = next(flip for flip in explain(plan, "y", symbol).flips if flip.name == key)
    assert found.after == nearest
    routes = dict(routes_of(table, with_settings(config, {key: nearest})).select("symbol", "route").rows())
    assert found.route == routes[symbol] != plan.symbol_decision("y", symbol).route

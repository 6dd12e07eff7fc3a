"""The text of the decisions is the canonical JSON of the plan, wherever the table is cut."""

import msgspec
import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.records import frames
from trainroute.records.artifacts import canonical_json
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_text import decisions_text
from trainroute.route import build_routing_plan

SYMBOLS = {"a": 3, "b": 0, "c": 0, "d": 1, 'e"\n': 2, "f": 0, "g": 4}


@pytest.fixture(scope="module")
def plan() -> RoutingPlan:
    rows = [
        {"target": target, "symbol": symbol, "score": 0.6, "sample_size": 9000}
        for target, n in SYMBOLS.items()
        for symbol in [None, *(f"s{i}é" for i in range(n))]
    ]
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t")
    return build_routing_plan(table, Config(), generated_at="", git_commit=None)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 2048])
@pytest.mark.parametrize("names", ["abcdefg", "abdeg", "bc", "f", "abc", "fg", ""])
def test_it_is_the_json_of_every_decision(
    plan: RoutingPlan, names: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "SLICE_ROWS", rows)
    served = {target: n for target, n in SYMBOLS.items() if target[0] in names}
    targets = {
        target: {
            "cross_sectional": plan.cross_sectional(target),
            "symbols": {f"s{i}é": plan.symbol_decision(target, f"s{i}é") for i in range(n)},
        }
        for target, n in served.items()
    }
    pooled, pairs = (table.filter(pl.col("target").is_in(list(served))) for table in (plan.pooled, plan.pairs))
    chunks = list(decisions_text(pooled, pairs))
    text = b"".join(chunks)
    assert text.replace(b"\n", b"") == msgspec.json.encode(targets, order="sorted")
    assert len(chunks) == 1 + -(-pairs.height // rows)
    unserved = sum(n == 0 for n in served.values())
    assert len(text.splitlines()) == pairs.height + 3 * (len(served) - unserved) + 2 * unserved + (2 if served else 1)


def test_one_pair_is_one_line(plan: RoutingPlan) -> None:
    lines = b"".join(decisions_text(plan.pooled, plan.pairs)).splitlines()
    decision = canonical_json(plan.symbol_decision("a", "s1é"))
    assert b'"s1\xc3\xa9":' + decision + b"," in lines

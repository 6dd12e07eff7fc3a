"""Decisions over the whole table equal a slow walk over single pairs; order is nothing; better is never worse."""

import math
import random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from trainroute.config.schema import Config, RoutingConfig
from trainroute.records.candidates_io import validate_candidates
from trainroute.records.routing import RoutingPlan
from trainroute.route import build_routing_plan

Row = dict[str, Any]
ORDER = ("DISALLOWED", "EXPERIMENTAL", "WEAK_BUT_OK", "STRONG")
SCORES = (None, math.nan, 0.3, 0.5, 0.51, 0.519999, 0.5199996, 0.52, 0.53, 0.55, 0.57, 0.5700004, 0.6, 0.9)
CHANCES = (None, 0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
OPTIONAL = (
    "score_shrunk",
    "p_skill",
    "score_ci_low",
    "cs_score",
    "cs_score_shrunk",
    "p_cs_skill",
    "p_local_better",
    "stability",
    "leakage_status",
    "n_snapshots",
    "n_eff",
    "minority_events",
    "attempted_model_families",
    "failed_model_families",
    "task_type",
)


def _table(seed: int) -> tuple[list[Row], tuple[str, ...]]:
    """Return random rows near the thresholds, and the columns that the table lacks."""
    rng = random.Random(seed)
    rows = []
    for target in ("y_a", "y_b", "y_c"):
        task = rng.choice(["binary", "regression", None])
        symbols: list[str | None] = [f"S{i}" for i in range(rng.randint(0, 7))]
        if rng.random() < 0.85:
            symbols.append(None)
        rows += [{"target": target, "symbol": symbol, "task_type": task, **_evidence(rng)} for symbol in symbols]
    rng.shuffle(rows)
    without = tuple(name for name in OPTIONAL if rng.random() < 0.12)
    return rows, without


def _evidence(rng: random.Random) -> Row:
    row = {
        "score": rng.choice(SCORES[4:]),
        "score_shrunk": rng.choice(SCORES[4:]),
        "score_ci_low": rng.choice((0.5, 0.500001, 0.55, 0.55)),
        "p_skill": rng.choice(CHANCES[8:]),
        "cs_score": rng.choice(SCORES),
        "cs_score_shrunk": rng.choice(SCORES),
        "p_cs_skill": rng.choice(CHANCES[2:]),
        "p_local_better": rng.choice(CHANCES),
        "stability": rng.choice(("STABLE", "STABLE", "DRIFTING", "DIVERGED", "UNKNOWN", None)),
        "leakage_status": rng.choice(("SAFE", "SAFE", "SAFE", "SUSPECT", "UNKNOWN", None)),
        "n_snapshots": rng.choice((3, 3, 2, 1)),
        "sample_size": 9000,
        "n_eff": 500.0,
        "minority_events": rng.choice((30, 400)),
        "attempted_model_families": ["A", "B"],
        "failed_model_families": rng.choice([[], [], ["A"]]),
    }
    while rng.random() < 0.3:  # spoil some of it
        name = rng.choice(sorted(SPOILT))
        row[name] = rng.choice(SPOILT[name])
    return row


SPOILT: dict[str, tuple[Any, ...]] = {
    "score": SCORES,
    "score_shrunk": SCORES,
    "score_ci_low": (None, 0.49, math.nan),
    "p_skill": CHANCES,
    "p_cs_skill": CHANCES,
    "leakage_status": ("BLOCKED",),
    "n_snapshots": (None,),
    "sample_size": (None, 999, 1000, 5000),
    "n_eff": (None, 49.0, 50.0, 99.0, 100.0),
    "minority_events": (None, 0, 29),
    "attempted_model_families": ([], None, ["A"]),
    "failed_model_families": (None, ["A", "B"]),
}


def _config(seed: int) -> Config:
    rng = random.Random(seed)
    choice = rng.choice
    return Config.model_validate(
        {
            "routing": {
                "block_on_leakage": choice([True, True, False]),
                "both_strong_behavior": choice(["ROUTE_BOTH", "PREFER_CS", "PREFER_SYMBOL", "PREFER_BETTER"]),
                "enable_experimental_lane": choice([True, True, False]),
                "require_min_successful_families": choice([0, 1, 2]),
                "min_minority_events": choice([0, 30]),
                "evidence": {"use_shrunk_score": choice([True, False])},
                "symbol": {
                    "min_score": 0.53,
                    "strong_score": choice([0.57, {"classification": 0.55, "regression": 0.6}]),
                },
                "experimental": {
                    "max_fraction_symbols_per_target": choice([0.0, 0.2, 0.4, 1.0]),
                    "allowed_stabilities": choice([["STABLE", "DRIFTING", "DIVERGED", "UNKNOWN"], ["STABLE"]]),
                },
            }
        }
    )


class Slow:
    """The contract, sentence by sentence, one pair at a time."""

    def __init__(self, rows: list[Row], config: RoutingConfig, without: tuple[str, ...]) -> None:
        self.config = config
        self.known = {name for row in rows for name in row} - set(without)
        clean = [{key: self._value(value) for key, value in row.items() if key in self.known} for row in rows]
        self.targets = sorted({row["target"] for row in clean})
        self.pooled = {row["target"]: row for row in clean if row["symbol"] is None}
        self.local = {(row["target"], row["symbol"]): row for row in clean if row["symbol"] is not None}

    @staticmethod
    def _value(value: object) -> object:
        if isinstance(value, float):
            return None if math.isnan(value) else round(value, 6)
        return value

    def score(self, row: Row, *, side: str = "score") -> float | None:
        shrunk = f"{side}_shrunk"
        return row[shrunk] if self.config.evidence.use_shrunk_score and shrunk in self.known else row.get(side)

    def leakage(self, row: Row | None) -> str:
        return (row or {}).get("leakage_status") or "UNKNOWN"

    def stability(self, row: Row) -> str:
        if "n_snapshots" in self.known and (row["n_snapshots"] or 0) < 2:
            return "UNKNOWN"
        return row.get("stability") or "UNKNOWN"

    def at_least(self, row: Row, column: str, least: float) -> bool:
        if column not in self.known or least == 0:
            return True
        return row[column] is not None and row[column] >= least

    def threshold(self, row: Row, value: Any) -> float:
        if isinstance(value, float):
            return value
        task = row.get("task_type")
        if task is None:
            return max(value.classification, value.regression)
        return value.regression if task == "regression" else value.classification

    def families(self, row: Row) -> bool:
        least = self.config.require_min_successful_families
        if "attempted_model_families" not in self.known or least == 0:
            return True
        attempted, failed = row["attempted_model_families"], row.get("failed_model_families", [])
        if attempted is None or failed is None:
            return False
        return len(set(attempted) - set(failed)) >= least

    def state(self, row: Row | None, side: str) -> str:
        if row is None:
            return "DISALLOWED"
        c, p = self.config, self.config.evidence.min_p_skill
        score, stability = self.score(row), self.stability(row)
        scores = getattr(c, side)
        blocked = c.block_on_leakage and self.leakage(row) == "BLOCKED"
        if c.block_on_leakage and side == "symbol" and self.leakage(self.pooled.get(row["target"])) == "BLOCKED":
            blocked = True
        if (
            not self.at_least(
                {**row, "sample_size": row["sample_size"]}, "sample_size", getattr(c.min_sample_size, side)
            )
            or not self.at_least(row, "n_eff", getattr(c.min_effective_size, side))
            or (
                row.get("task_type") != "regression"
                and not self.at_least(row, "minority_events", c.min_minority_events)
            )
            or blocked
            or not self.families(row)
            or score is None
        ):
            return "DISALLOWED"
        allowed = stability in getattr(c.stability_allowlist, side)
        wanted = {"score_ci_low", "p_skill", "n_eff", "minority_events", "stability", "leakage_status"}
        wanted |= {"attempted_model_families"} | ({"score_shrunk"} if c.evidence.use_shrunk_score else set())
        low = row.get("score_ci_low")
        if (
            score >= self.threshold(row, scores.strong_score)
            and allowed
            and self.leakage(row) in {"SAFE", "UNKNOWN"}
            and low is not None
            and low > c.evidence.require_ci_above
            and self.at_least(row, "p_skill", p.strong)
            and wanted <= self.known
        ):
            return "STRONG"
        if score >= self.threshold(row, scores.min_score) and allowed and self.at_least(row, "p_skill", p.weak):
            return "WEAK_BUT_OK"
        lane = c.enable_experimental_lane and stability in c.experimental.allowed_stabilities
        if lane and score >= c.experimental.min_score and self.at_least(row, "p_skill", p.experimental):
            return "EXPERIMENTAL"
        return "DISALLOWED"

    def pair(self, row: Row) -> tuple[str, str, str]:
        c = self.config
        cs = self.state(self.pooled.get(row["target"]), "cross_sectional")
        p = row.get("p_cs_skill")
        if p is not None and p < c.evidence.cs_on_symbol_below:
            cs = "DISALLOWED"
        if c.block_on_leakage and self.leakage(row) == "BLOCKED":
            cs = "DISALLOWED"
        local = self.state(row, "symbol")
        return self.route(cs, local, row.get("p_local_better")), cs, local

    def route(self, cs: str, local: str, p: float | None) -> str:
        ok = ("STRONG", "WEAK_BUT_OK")
        if cs in ok and local in ok:
            return self.both(p)
        if cs in ok:
            return "ROUTE_CROSS_SECTIONAL"
        if local in ok:
            return "ROUTE_SYMBOL_SPECIFIC"
        return "ROUTE_EXPERIMENTAL_ONLY" if "EXPERIMENTAL" in (cs, local) else "ROUTE_BLOCKED"

    def both(self, p: float | None) -> str:
        behavior, rules = self.config.both_strong_behavior, self.config.evidence
        fixed = {"PREFER_CS": "ROUTE_CROSS_SECTIONAL", "PREFER_SYMBOL": "ROUTE_SYMBOL_SPECIFIC"}
        if behavior in fixed:
            return fixed[behavior]
        if behavior == "ROUTE_BOTH" or p is None:
            return "ROUTE_BOTH"
        if p > rules.local_better_above:
            return "ROUTE_SYMBOL_SPECIFIC"
        return "ROUTE_CROSS_SECTIONAL" if p < rules.cs_better_below else "ROUTE_BOTH"

    def decisions(self) -> dict[tuple[str, str], tuple[str, str, str]]:
        found = {key: self.pair(row) for key, row in self.local.items()}
        for target in self.targets:
            keys = [key for key in found if key[0] == target]
            lane = [key for key in keys if found[key][0] == "ROUTE_EXPERIMENTAL_ONLY"]
            fraction = self.config.experimental.max_fraction_symbols_per_target
            places = max(1, math.floor(round(fraction * len(keys), 9))) if fraction > 0 else 0
            for key in sorted(lane, key=lambda k: (-self.lane_score(k, found[k][2]), k[1]))[places:]:
                found[key] = ("ROUTE_BLOCKED", *found[key][1:])
        return found

    def lane_score(self, key: tuple[str, str], local: str) -> float:
        row, pooled = self.local[key], self.pooled.get(key[0])
        if local == "EXPERIMENTAL":
            score = self.score(row)
        else:
            score = self.score(row, side="cs_score")
            score = self.score(pooled) if score is None and pooled is not None else score
        return -1.0 if score is None else score


def _decide(rows: list[Row], config: Config, without: tuple[str, ...]) -> RoutingPlan:
    frame = pl.DataFrame(rows, infer_schema_length=None).drop(without)
    return build_routing_plan(validate_candidates(frame, "random"), config, generated_at="", git_commit=None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_decisions_equal_the_slow_obvious_ones(seed: int) -> None:
    (rows, without), config = _table(seed), _config(seed)
    if not rows:
        return
    slow = Slow(rows, config.routing, without)
    plan = _decide(rows, config, without)
    columns = ["target", "symbol", "route", "cs_state", "local_state"]
    found = {(t, s): tuple(rest) for t, s, *rest in plan.pairs.select(columns).iter_rows()}
    assert found == slow.decisions()
    states = {t: slow.state(slow.pooled.get(t), "cross_sectional") for t in slow.targets}
    assert dict(plan.pooled.select("target", "state").iter_rows()) == states


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_changes_nothing(seed: int, rng: random.Random) -> None:
    (rows, without), config = _table(seed), _config(seed)
    if not rows:
        return
    plan = _decide(rows, config, without)
    rng.shuffle(rows)
    names = list(rows[0])
    rng.shuffle(names)
    other = _decide([{name: row[name] for name in names} for row in rows], config, without)
    assert other.plan_id == plan.plan_id
    assert other.metadata == plan.metadata
    assert other.pairs.equals(plan.pairs)
    assert other.pooled.equals(plan.pooled)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["score", "score_shrunk", "score_ci_low", "p_skill"]))
def test_raising_a_score_never_lowers_a_state(seed: int, column: str) -> None:
    (rows, without), config = _table(seed), _config(seed)
    if not rows:
        return
    raised = [{**row, column: min(1.0, row[column] + 0.02) if row[column] is not None else None} for row in rows]
    before, after = _decide(rows, config, without), _decide(raised, config, without)
    for frame, other, name in ((before.pairs, after.pairs, "local_state"), (before.pooled, after.pooled, "state")):
        for low, high in zip(frame[name], other[name], strict=True):
            assert ORDER.index(high) >= ORDER.index(low)


BOTH_GOOD = {"ROUTE_BOTH", "ROUTE_CROSS_SECTIONAL", "ROUTE_SYMBOL_SPECIFIC"}
LANE = {"ROUTE_EXPERIMENTAL_ONLY", "ROUTE_BLOCKED"}  # blocked where the lane is full


def _allowed(pooled: str, local: str) -> set[str]:
    """The table of the contract, cell by cell."""
    good = ("STRONG", "WEAK_BUT_OK")
    if pooled in good:
        return BOTH_GOOD if local in good else {"ROUTE_CROSS_SECTIONAL"}
    if local in good:
        return {"ROUTE_SYMBOL_SPECIFIC"}
    return {"ROUTE_BLOCKED"} if pooled == local == "DISALLOWED" else LANE


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_each_route_satisfies_the_table(seed: int) -> None:
    (rows, without), config = _table(seed), _config(seed)
    if not rows:
        return
    pairs = _decide(rows, config, without).pairs
    for route, pooled, local, leakage in pairs.select(
        "route", "cs_state", "local_state", pl.col("evidence").struct.field("leakage_status")
    ).iter_rows():
        leaked = leakage == "BLOCKED" and config.routing.block_on_leakage
        assert route in ({"ROUTE_BLOCKED"} if leaked else _allowed(pooled, local))

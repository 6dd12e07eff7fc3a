"""What if: what is shown is what routing again with those settings then gives; with hysteresis and a budget too."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trainroute import pipeline
from trainroute.config import Config
from trainroute.errors import ConfigError
from trainroute.records.routing_io import read_routing_plan
from trainroute.stages import diff, planning, sweep, trying, what_if

ROW: dict[str, Any] = {"score": 0.6, "score_ci_low": 0.57, "p_skill": 0.999, "sample_size": 9000, "n_eff": 500.0}
ROW |= {"minority_events": 400, "stability": "STABLE", "leakage_status": "SAFE", "task_type": "binary"}
ROW |= {"cs_score_shrunk": 0.5, "p_cs_skill": 0.01, "p_local_better": 0.9}
HELD = {"routing": {"hysteresis": {"score_margin": 0.01}}}
KEY = "routing.symbol.min_score"


def _table(path: Path, scores: dict[str, float]) -> Path:
    """Write a target whose pool serves nobody, so that the local score alone decides."""
    rows = [{"target": "y", "symbol": None, **ROW, "score_shrunk": 0.5}]
    rows += [{"target": "y", "symbol": name, **ROW, "score_shrunk": score} for name, score in scores.items()]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Routed twice: B and C passed 0.54, then fell within the margin and below it."""
    config = {"routing": {**HELD["routing"], "symbol": {"min_score": 0.54, "strong_score": 0.57}}}
    for number, scores in enumerate(({"A": 0.56, "B": 0.545, "C": 0.545}, {"A": 0.56, "B": 0.535, "C": 0.49})):
        table = _table(tmp_path / f"{number}.parquet", scores)
        pipeline.route(table, output_dir=tmp_path / "run", config=config)
    return tmp_path / "run"


def _routes(output: Path) -> dict[str, str]:
    pairs = read_routing_plan(output / "METRICS/routing_plan").pairs
    return dict(pairs.select("symbol", "route").iter_rows())


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        ({}, []),
        ({KEY: 0.545}, []),
        ({KEY: 0.546}, ["B"]),
        ({"routing.hysteresis.score_margin": 0.0}, ["B"]),
        ({"routing.hysteresis.score_margin": 0.04}, []),
        ({"planning.standard_families": ["XGBoost", "lightgbm"]}, []),
    ],
)
def test_what_is_shown_is_what_routing_again_gives(
    run: Path, tmp_path: Path, changes: dict[str, Any], moved: list[str]
) -> None:
    base = {"routing": {**HELD["routing"], "symbol": {"min_score": 0.54, "strong_score": 0.57}}}
    shown = what_if(changes, output_dir=run, config=base)
    assert [route.symbol for route in shown.routes] == moved
    shutil.copytree(run, tmp_path / "again")
    settings = Config.model_validate(base).model_dump(mode="json")
    for key, value in changes.items():
        place = settings
        *path, last = key.split(".")
        for name in path:
            place = place[name]
        place[last] = value
    (candidates,) = (run / "METRICS").glob("routing_candidates.parquet")
    sections = {name: settings[name] for name in ("routing", "planning")}
    pipeline.route(candidates, output_dir=tmp_path / "again", config=sections)
    real = diff(run, tmp_path / "again", limit=None)
    assert (shown.counts, shown.transitions, shown.kinds) == (real.counts, real.transitions, real.kinds)
    assert (shown.routes, shown.same) == (real.routes, real.same)
    assert real.same == (not moved and "planning.standard_families" not in changes)
    assert [(job.job_id, job.change, job.fields) for job in shown.jobs] == [
        (job.job_id, job.change, job.fields) for job in real.jobs
    ]


def test_a_pair_is_held_in_a_trial_where_the_stored_plan_had_passed(run: Path, tmp_path: Path) -> None:
    """At 0.544 with a margin of 0.01, B (0.535) stays; in an output directory without a plan it does not pass."""
    base = {"routing": {**HELD["routing"], "symbol": {"min_score": 0.54, "strong_score": 0.57}}}
    assert _routes(run)["B"] == "ROUTE_SYMBOL_SPECIFIC"
    assert what_if({KEY: 0.544}, output_dir=run, config=base).same
    step = sweep(KEY, [0.544, 0.546], output_dir=run, config=base).steps
    assert [found.changed for found in step] == [0, 1]
    fresh = sweep(KEY, [0.544], output_dir=tmp_path / "fresh", candidates=tmp_path / "1.parquet", config=base)
    assert fresh.steps[0].routes["ROUTE_SYMBOL_SPECIFIC"] == 1


def test_without_a_stored_plan_there_is_nothing_to_hold_on_to(tmp_path: Path) -> None:
    table = _table(tmp_path / "t.parquet", {"A": 0.56, "B": 0.535})
    base = {"routing": {**HELD["routing"], "symbol": {"min_score": 0.53, "strong_score": 0.57}}}
    found = what_if({KEY: 0.54}, output_dir=tmp_path / "nothing", candidates=table, config=base)
    assert [route.symbol for route in found.routes] == ["B"]
    assert not (tmp_path / "nothing").exists()


def test_a_trial_stays_within_the_budget_of_the_stored_plan_or_takes_another(tmp_path: Path, program: Any) -> None:
    table = _table(tmp_path / "t.parquet", {"A": 0.6, "B": 0.58, "C": 0.56})
    pipeline.route(table, output_dir=tmp_path / "run", max_jobs=2)
    assert what_if({}, output_dir=tmp_path / "run").same
    assert what_if({KEY: 0.535}, output_dir=tmp_path / "run").counts.jobs_added == 0
    ended = program("route", "--output-dir", tmp_path / "run", "--dry-run", "--max-jobs", 1)
    assert "--max-jobs: 2 → 1" in ended.out
    assert "1 jobs: budget" in ended.out
    more = program("route", "--output-dir", tmp_path / "run", "--dry-run", "--max-jobs", 3).out
    assert "+ sym_y_C: budget: was left out (place 3 of 3" in more
    refused = program("route", "--output-dir", tmp_path / "run", "--dry-run", "--max-jobs", 0)
    assert refused.code == 2


def test_the_families_that_a_plan_was_made_with_stay_unless_the_settings_name_others(run: Path, tmp_path: Path) -> None:
    base = {"routing": {**HELD["routing"], "symbol": {"min_score": 0.54, "strong_score": 0.57}}}
    narrow = tmp_path / "narrow"
    (candidates,) = (run / "METRICS").glob("routing_candidates.parquet")
    pipeline.route(candidates, output_dir=narrow, config=base, families=["XGBoost"])
    assert what_if({KEY: 0.545}, output_dir=narrow, config=base).counts.jobs_changed == 0
    shown = what_if({"planning.standard_families": ["LightGBM"]}, output_dir=narrow, config=base)
    assert {tuple(job.fields["model_families"][1]) for job in shown.jobs} == {("LightGBM",)}


def test_a_trial_counts_the_costs_of_the_ledger_where_the_stored_plan_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _table(tmp_path / "t.parquet", {"A": 0.6, "B": 0.58})
    seconds = {("sym_y_A", family): 1e6 for family in ("LightGBM", "XGBoost", "Ensemble")}
    for module in (planning, trying):
        monkeypatch.setattr(module, "mean_seconds", lambda _: seconds)
    made = pipeline.route(table, output_dir=tmp_path / "run", max_cost=1e5, cost_from_ledger=True)
    assert [job.job_id for job in made.plan.jobs] == ["sym_y_B"]
    assert what_if({}, output_dir=tmp_path / "run").same


def test_a_sweep_refuses_what_routing_would(run: Path) -> None:
    pin = {"target": "y", "force": "BLOCKED", "reason": "r", "expires": "2020-01-31"}
    with pytest.raises(ConfigError, match=r"pin 1 \(y: r\) expired on 2020-01-31"):
        sweep(KEY, [0.53], output_dir=run, config={"routing": {"pins": [pin]}})


def test_a_sweep_over_lists_and_words(run: Path) -> None:
    found = sweep("routing.stability_allowlist.symbol", "[STABLE],[DRIFTING, DIVERGED]", output_dir=run).steps
    assert [step.value for step in found] == [["STABLE"], ["DRIFTING", "DIVERGED"]]
    assert [step.routes["ROUTE_SYMBOL_SPECIFIC"] for step in found] == [2, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sweep", f"{KEY}=0.55:0.52:0.01"), "expected first:last:step"),
        (("--sweep", f"{KEY}=[0.5"), "--sweep [0.5: the values are not YAML"),
        (("--sweep", f"{KEY}=0.53", "--max-jobs", 3, "--families", "X"), "leave out --families, --max-jobs"),
        (("--format", "json"), "--format and --limit are for what is tried"),
        (("--limit", 3), "--format and --limit are for what is tried"),
    ],
)
def test_what_a_trial_cannot_be(run: Path, program: Any, arguments: tuple[object, ...], said: str) -> None:
    ended = program("route", run.parent / "1.parquet", "--output-dir", run, *arguments)
    assert ended.code == 2
    assert said in ended.err

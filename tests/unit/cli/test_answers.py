"""Commands that answer a question: their forms, their exit codes, and that nothing is written by asking."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Program = Callable[..., Any]
KEY = "routing.symbol.min_score"


def _table(path: Path, **changed: dict[str, Any]) -> Path:
    """Write a target with a good pool; A trains alone, B and C by the pool, and one more name attacks."""
    good = {"score": 0.56, "score_shrunk": 0.56, "score_ci_low": 0.53, "p_skill": 0.995, "sample_size": 9000}
    common = {"n_eff": 500.0, "minority_events": 400, "stability": "STABLE", "leakage_status": "SAFE"}
    common |= {"attempted_model_families": ["R"], "failed_model_families": [], "task_type": "binary"}
    common |= {"cs_score_shrunk": 0.55, "p_cs_skill": 0.9, "p_local_better": 0.9}
    own = {None: {}, "A": {}, "B": {"p_local_better": 0.1}, "C": {"score_shrunk": 0.5}, "\x1b[2J<b>": {}}
    rows = [{"target": "y", "symbol": s, **good, **common, **o, **changed.get(s or "", {})} for s, o in own.items()]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


@pytest.fixture
def run(tmp_path: Path, program: Program) -> Path:
    """A routed table in an output directory."""
    output = tmp_path / "run"
    assert program("route", _table(tmp_path / "table.parquet"), "--output-dir", output).code == 0
    return output


def _content(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_explain_a_pair_as_json(run: Path, program: Program) -> None:
    ended = program("explain", "--output-dir", run, "--target", "y", "--symbol", "A", "--format", "json")
    found = json.loads(ended.out)
    assert (ended.code, found["decision"]["route"]) == (0, "ROUTE_SYMBOL_SPECIFIC")
    assert found["trained"] == ["a model of its own"]
    nearest = found["nearest_flip"]
    assert nearest["metric"]["name"] == "score_shrunk"
    assert nearest["threshold"]["name"] == KEY
    assert nearest["threshold"]["after"] == pytest.approx(0.560001)
    rule = next(r for r in found["local_rules"] if r["level"] == "WEAK_BUT_OK" and r["rule"] == "score")
    assert (rule["value"], rule["threshold"], rule["distance"], rule["passed"]) == (0.56, 0.53, 0.03, True)
    assert rule["key"] == KEY


def test_explain_a_target_a_symbol_and_what_is_blocked(run: Path, program: Program, tmp_path: Path) -> None:
    of_target = program("explain", "--output-dir", run, "--target", "y").out
    assert "y: 4 pairs" in of_target
    assert "2 ROUTE_SYMBOL_SPECIFIC" in of_target
    of_symbol = json.loads(program("explain", "--output-dir", run, "--symbol", "C", "--format", "json").out)
    assert (of_symbol["total_pairs"], of_symbol["routes"]["ROUTE_CROSS_SECTIONAL"]) == (1, 1)
    leaky = _table(tmp_path / "leaky.parquet", A={"leakage_status": "BLOCKED"}, C={"leakage_status": "BLOCKED"})
    program("route", leaky, "--output-dir", run)
    blocked = json.loads(program("explain", "--output-dir", run, "--blocked", "--limit", 1, "--format", "json").out)
    assert blocked["blocked"] == {"leakage": 2}
    assert (blocked["total_pairs"], len(blocked["pairs"])) == (2, 1)
    assert program("explain", "--output-dir", run, "--target", "nope").error.startswith("unknown target")
    assert program("explain", "--output-dir", run, "--symbol", "nope").code == 2


@pytest.mark.parametrize("asked", [["--target", "y", "--symbol", "A"], ["--target", "y"], ["--blocked"]])
def test_explain_refuses_an_edited_plan_by_name(run: Path, program: Program, asked: list[str]) -> None:
    path = run / "METRICS/routing_plan/routing_plan.json"
    path.write_text(path.read_text().replace('"score_shrunk":0.56', '"score_shrunk":0.66'))
    ended = program("explain", "--output-dir", run, *asked)
    assert ended.code == 2
    assert ended.error.startswith(f"{path}: its content does not match its content_sha256: edited")
    assert "--allow-edited" in ended.error
    allowed = program("explain", "--output-dir", run, *asked, "--allow-edited")
    assert allowed.code == 0
    assert "edited" in allowed.err
    assert ("score: 0.66" in allowed.out) == ("--target" in asked)


def test_explain_says_that_a_pool_without_teachers_is_not_trained(tmp_path: Path, program: Program) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("planning: {short_symbols_teach_pool: false}\n")
    short = {name: {"sample_size": 500} for name in ("A", "B", "\x1b[2J<b>")} | {
        "C": {"sample_size": 0, "minority_events": 0}
    }
    table = _table(tmp_path / "short.parquet", **short)
    program("route", table, "--output-dir", tmp_path / "run", "--config", config)
    ended = program("explain", "--output-dir", tmp_path / "run", "--target", "y", "--symbol", "A")
    assert "y · A: ROUTE_CROSS_SECTIONAL" in ended.out
    assert "trained: nothing" in ended.out
    assert "not trained: a pool that no symbol may teach (3 symbols of fewer than 1000 rows" in ended.out
    assert "_teach_pool is off), 1 symbol without rows)" in ended.out
    assert "not trained: 4 of them" in program("explain", "--output-dir", tmp_path / "run", "--target", "y").out


def test_explain_and_the_pages_say_what_a_budget_left_out(run: Path, program: Program) -> None:
    pair = ("explain", "--output-dir", run, "--target", "y", "--symbol", "A")
    assert "  trained: a model of its own\n" in program(*pair).out
    assert "not trained" not in program(*pair).out
    ended = program("route", run.parent / "table.parquet", "--output-dir", run, "--max-jobs", "1")
    assert "budget: 1 of 3 jobs, " in ended.out
    explained = program(*pair).out
    assert "  trained: nothing\n" in explained
    assert (
        "not trained: a model of its own, left out by the budget (place 3 of 3 by value per cost: --max-jobs"
        in explained
    )
    of_target = program("explain", "--output-dir", run, "--target", "y")
    assert "not trained: 2 of their jobs, left out by the budget" in of_target.out
    assert json.loads(program(*pair[:5], "--format", "json").out)["untrained"] == {"left out by the budget": 2}
    page = (run / "globals/training_plan/training_plan.md").read_text()
    assert "## Left out by the budget\n\n1 of 3 jobs, " in page
    assert "| sym_y_A | " in page.split("## Left out")[1]
    (run / "globals/training_plan/master_training_plan.json").write_text("{")
    broken = program(*pair)
    assert broken.code == 0
    assert "what the training plan trains is not known: " in broken.err


def test_explain_says_that_no_family_is_fit(run: Path, program: Program, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("planning: {family_min_priority: {LightGBM: 900, XGBoost: 900, Ensemble: 900}}\n")
    program("route", tmp_path / "table.parquet", "--output-dir", run, "--config", config)
    ended = program("explain", "--output-dir", run, "--target", "y", "--symbol", "A")
    assert "  trained: nothing\n" in ended.out
    assert "not trained: a model of its own, for which no family that was asked for is fit\n" in ended.out
    of_target = program("explain", "--output-dir", run, "--target", "y").out
    assert "not trained: 3 of their jobs, for which no family that was asked for is fit\n" in of_target


def test_plans_that_do_not_belong_together_are_not_shown_as_one(run: Path, program: Program, tmp_path: Path) -> None:
    other = tmp_path / "other"
    program("route", _table(tmp_path / "b.parquet", A={"score_shrunk": 0.52}), "--output-dir", other)
    shutil.copytree(other / "METRICS/routing_plan", run / "METRICS/routing_plan", dirs_exist_ok=True)
    shown = program("show", "--output-dir", run)
    assert "the routing plan there is not the one that the jobs were made from" in shown.err
    assert "Routes: symbols per target" not in shown.out
    explained = program("explain", "--output-dir", run, "--target", "y", "--symbol", "A")
    assert "the training plan there was made from other decisions" in explained.err
    (run / "METRICS/routing_plan/routing_plan.json").unlink()
    ended = program("validate", "--output-dir", run)
    assert (ended.code, "routing_plan.json: not found, though its directory is there" in ended.error) == (2, True)


def test_a_directory_may_be_named_like_a_file(run: Path, program: Program, tmp_path: Path) -> None:
    run.rename(tmp_path / "x.json")
    assert program("diff", tmp_path / "x.json", tmp_path / "x.json", "--exit-code").code == 0
    assert program("route", "--dry-run", "--output-dir", tmp_path / "x.json").code == 0


def test_diff_has_exit_codes_and_three_forms(run: Path, program: Program, tmp_path: Path) -> None:
    other = tmp_path / "other"
    program("route", _table(tmp_path / "b.parquet", A={"score_shrunk": 0.52}), "--output-dir", other)
    assert program("diff", run, run, "--exit-code").code == 0
    assert program("diff", run, other).code == 0
    ended = program("diff", run, other, "--exit-code", "--format", "json")
    found = json.loads(ended.out)
    assert (ended.code, found["counts"]["routes_changed"], found["counts"]["jobs_removed"]) == (1, 1, 1)
    assert found["causes"] == {"local score_shrunk": 1}
    assert found["routes"][0]["causes"][0]["key"] == KEY
    text = program("diff", run / "globals/training_plan", other / "globals/training_plan").out
    assert text.startswith("jobs: 0 added, 1 removed, 1 changed; routes: 1 changed")
    assert "- sym_y_A: metric: local score_shrunk 0.56 → 0.52 crossed routing.symbol.min_score 0.53" in text
    only_routes = program("diff", run / "METRICS/routing_plan", other / "METRICS/routing_plan", "--format", "json")
    assert json.loads(only_routes.out)["counts"]["routes_changed"] == 1
    assert "| y | A | SYMBOL_SPECIFIC → CROSS_SECTIONAL |" in program("diff", run, other, "--format", "markdown").out
    assert program("diff", run, tmp_path / "nothing").code == 2


def test_plans_may_be_named_by_the_directory_one_is_in(
    run: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    assert program("diff", ".", run, "--exit-code").code == 0
    assert "no difference" in program("route", "--output-dir", ".", "--dry-run").out
    monkeypatch.chdir(run / "METRICS/routing_plan")
    assert program("diff", ".", run / "METRICS/routing_plan", "--exit-code").code == 0
    assert program("diff", run, "/").error.startswith("/: holds neither")


def test_a_name_cannot_steer_terminal_or_page(run: Path, program: Program, tmp_path: Path) -> None:
    other = tmp_path / "other"
    changed = {"\x1b[2J<b>": {"score_shrunk": 0.52}}
    program("route", _table(tmp_path / "b.parquet", **changed), "--output-dir", other)
    for form in ("text", "markdown"):
        printed = program("diff", run, other, "--format", form).out
        assert "\x1b" not in printed
        assert "x1b" in printed
    assert "<b>" not in program("diff", run, other, "--format", "markdown").out.replace("\\<b\\>", "")
    for asked in (["show"], ["explain", "--target", "y"], ["explain", "--target", "y", "--symbol", "\x1b[2J<b>"]):
        assert "\x1b" not in program(*asked, "--output-dir", run).out


def test_trying_a_setting_shows_the_difference_and_writes_nothing(run: Path, program: Program) -> None:
    before = _content(run)
    ended = program("route", "--output-dir", run, "--set", f"{KEY}=0.565", "--format", "json")
    found = json.loads(ended.out)
    assert (ended.code, found["causes"], found["counts"]["routes_changed"]) == (0, {KEY: 2}, 2)
    assert "no difference" in program("route", "--output-dir", run, "--dry-run").out
    both = program("route", "--output-dir", run, "--set", f"{KEY}=0.565", "--set", "routing.symbol.strong_score=0.6")
    assert "2 routing.symbol.min_score" in both.out
    assert _content(run) == before


def test_a_sweep_counts_the_routes_of_each_value(run: Path, program: Program) -> None:
    before = _content(run)
    ended = program("route", "--output-dir", run, "--sweep", f"{KEY}=0.52:0.57:0.025", "--format", "json")
    found = json.loads(ended.out)
    assert [(step["value"], step["changed"]) for step in found["steps"]] == [(0.52, 0), (0.545, 0), (0.57, 2)]
    assert found["steps"][-1]["routes"]["ROUTE_CROSS_SECTIONAL"] == 4
    text = program("route", "--output-dir", run, "--sweep", "routing.both_strong_behavior=PREFER_CS,ROUTE_BOTH").out
    assert [line.split()[0] for line in text.splitlines()][2:] == ["PREFER_CS", "ROUTE_BOTH"]
    assert _content(run) == before


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (["--set", "routing.symbol.nope=1"], "routing.symbol.nope"),
        (["--set", "routing.symbol.min_score=high"], "routing.symbol.min_score"),
        (["--set", "routing.symbol.min_score.deep.er=1"], "routing.symbol.min_score"),
        (["--set", "validation.n_blocks=3"], "trainroute run"),
        (["--sweep", f"{KEY}=0.6:0.5:0.1"], "first:last:step"),
        (["--sweep", f"{KEY}=0:1:0.0000001"], "at most 1000"),
        (["--sweep", f"{KEY}=0:1:1e-400"], "too many values, at most 1000"),
        (["--sweep", KEY], "key=first:last:step"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_one_line(asked: list[str], named: str, run: Path, program: Program) -> None:
    ended = program("route", "--output-dir", run, *asked)
    assert ended.code == 2
    assert named in ended.error


def test_a_name_cannot_steer_a_terminal_by_errors_and_log_lines(run: Path, program: Program, tmp_path: Path) -> None:
    name = "\x1b]0;owned\x07\x9b2J\u202e"
    for asked in (["explain", "--target", name], ["show", "--symbols", name], ["diff", run, tmp_path / name]):
        ended = program(*asked, *([] if asked[0] == "diff" else ["--output-dir", run]))
        assert ended.code == 2
        assert "\\x1b" in ended.error
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(ended.err)
    table = pl.read_parquet(_table(tmp_path / "table.parquet")).with_columns(pl.lit(1).alias(name))
    table.write_parquet(tmp_path / "odd.parquet")
    warned = program("route", tmp_path / "odd.parquet", "--output-dir", tmp_path / "odd").err
    assert "x1b" in warned
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(warned)


@pytest.mark.parametrize(
    "asked",
    [
        ["show"],
        ["explain", "--target", "y", "--symbol", "A"],
        ["explain", "--target", "y", "--format", "json"],
        ["explain", "--blocked", "--format", "markdown"],
        ["validate"],
        ["route", "--dry-run"],
        ["show", "--help"],
    ],
)
def test_a_reader_that_goes_away_is_no_failure(asked: list[str], run: Path) -> None:
    program = Path(sys.executable).with_name("trainroute")
    with subprocess.Popen(
        [program, *asked, *([] if "--help" in asked else ["--output-dir", run])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
    assert (running.returncode, said) == (0, "")


def test_a_value_that_cannot_be_set_does_not_lose_the_others_of_a_sweep(run: Path, program: Program) -> None:
    asked = ("route", "--output-dir", run, "--sweep", f"{KEY}=0.55:0.65:0.1")
    text = program(*asked).out.splitlines()
    assert len(text) == 4
    assert "strong_score" in text[-1]
    found = json.loads(program(*asked, "--format", "json").out)["steps"]
    assert [step["refused"] is None for step in found] == [True, False]
    assert found[1]["routes"] == {}
    ended = program("route", "--output-dir", run, "--sweep", f"{KEY}=0.65:0.75:0.1")
    assert (ended.code, "strong_score" in ended.error) == (2, True)


def test_diff_compares_an_edited_plan_on_request(run: Path, program: Program, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other)
    master = other / "globals/training_plan/master_training_plan.json"
    plan = json.loads(master.read_text())
    plan["jobs"].pop()
    master.write_text(json.dumps(plan))
    refused = program("diff", run, other)
    assert (refused.code, "--allow-edited (train, show, explain, diff)" in refused.error) == (2, True)
    assert program("diff", run, other, "--allow-edited").out.startswith("jobs: 0 added, 1 removed")
    assert "2 jobs: 1 pooled, 1 local" in program("show", "--output-dir", other, "--allow-edited").out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("globals/training_plan/master_training_plan.json", ["show"]),
        ("globals/training_plan/master_training_plan.json", ["diff", "."]),
        ("METRICS/routing_plan/routing_plan.json", ["explain", "--blocked"]),
        ("METRICS/routing_plan/routing_plan.json", ["validate"]),
        ("METRICS/routing_plan/routing_plan.json", ["diff", "."]),
        ("METRICS/routing_candidates.parquet", ["route", "METRICS/routing_candidates.parquet"]),
        ("METRICS/routing_candidates.parquet", ["validate"]),
    ],
)
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(run: Path, name: str, asked: list[str]) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    where = ["."] if asked[0] == "diff" else ["--output-dir", "."]
    command = [sys.executable, "-m", "trainroute", *asked, *where]
    ended = subprocess.run(command, check=False, cwd=run, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"{name}: cannot be read" in ended.stderr
    assert "not a regular file" in ended.stderr

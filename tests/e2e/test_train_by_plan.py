"""`train`: the plan that is there, a stale or broken one, none at all."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from trainroute import load_training_plan

pytestmark = pytest.mark.slow


def _report(place) -> dict:
    return json.loads((place.results / "globals/training_report.json").read_text())


def test_the_plan_under_the_output_directory_is_found_and_only_its_jobs_run(copied, program) -> None:
    ended = program("train", "--data-dir", "data", "--families", "lightgbm")
    assert ended.code == 0, ended.err
    assert "Training plan filter applied: 3 → 2 targets" in ended.err
    assert "Using model families from training plan" in ended.err
    plan = load_training_plan(copied.plan)
    results = _report(copied)["results"]
    assert {row["job_id"] for row in results} == {job.job_id for job in plan.jobs if "LightGBM" in job.model_families}
    assert {row["family"] for row in results} == {"LightGBM"}
    assert not any("y_up_5d" in row["job_id"] for row in results)


def test_symbols_select_jobs_and_never_make_a_plan_stale(copied, program) -> None:
    ended = program(
        "train", "--data-dir", "data", "--symbols", "JPM", "--targets", "y_high_vol_20d", "--families", "XGBoost"
    )
    assert ended.code == 0, ended.err
    jobs = {row["job_id"] for row in _report(copied)["results"]}
    assert jobs
    assert jobs <= {"cs_y_high_vol_20d", "sym_y_high_vol_20d_JPM"}


def test_a_family_that_the_plan_does_not_assign_is_reported_and_not_trained(copied, program) -> None:
    ended = program("train", "--data-dir", "data", "--families", "Ensemble")
    assert ended.code == 0, ended.err
    assert {row["state"] for row in _report(copied)["results"]} == {"not_planned"}
    assert "nothing to train" in ended.out


def test_an_explicit_plan_beats_the_one_that_would_be_found(copied, program) -> None:
    shutil.copytree(copied.results, copied.path / "elsewhere")
    (copied.plan / "master_training_plan.json").write_text("{")
    ended = program(
        *("train", "--data-dir", "data", "--targets", "y_high_vol_20d", "--symbols", "JPM", "--families", "LightGBM"),
        *("--training-plan-dir", "elsewhere/globals/training_plan"),
    )
    assert ended.code == 0, ended.err


def test_a_changed_setting_makes_the_plan_stale(copied, program) -> None:
    copied.settings.write_text("routing: {min_minority_events: 31}")
    ended = program("train", "--data-dir", "data")
    assert ended.code == 2
    assert "stale" in ended.error
    assert "settings changed" in ended.error
    assert program("validate").code == 1


def test_changed_data_make_the_plan_stale(copied, program) -> None:
    path = copied.data / "symbol=MSFT/MSFT.parquet"
    table = pl.read_parquet(path)
    table.head(table.height - 1).write_parquet(path)
    ended = program("train", "--data-dir", "data")
    assert ended.code == 2
    assert "the data changed" in ended.error
    assert program("validate", "--data-dir", "data").code == 1
    assert program("validate").code == 0


def test_data_of_symbols_that_the_plan_does_not_name_may_change(copied, program) -> None:
    path = copied.data / "symbol=XOM/XOM.parquet"
    table = pl.read_parquet(path)
    table.head(table.height - 1).write_parquet(path)
    assert program("validate", "--data-dir", "data").code == 0


def test_another_routing_plan_makes_the_plan_stale(copied, program) -> None:
    kept = copied.path / "kept"
    shutil.copytree(copied.plan, kept)
    assert (
        program(
            "run", "--data-dir", "data", "--symbols", "AAPL", "JPM", "--targets", "y_high_vol_20d", "--skip-training"
        ).code
        == 0
    )
    shutil.rmtree(copied.plan)
    shutil.copytree(kept, copied.plan)
    ended = program("train", "--data-dir", "data")
    assert ended.code == 2
    assert "routing plan was made again" in ended.error
    assert "candidates changed" in ended.error


def _truncate(plan: Path) -> None:
    master = plan / "master_training_plan.json"
    master.write_bytes(master.read_bytes()[:-200])


def _edit(plan: Path) -> None:
    master = plan / "master_training_plan.json"
    master.write_text(master.read_text().replace('"LightGBM"', '"XGBoost"', 1))


def _without_jobs(plan: Path) -> None:
    (plan / "master_training_plan.json").write_text('{"metadata": {}, "summary": {}}')


@pytest.mark.parametrize(
    "spoil",
    [
        _truncate,
        _edit,
        _without_jobs,
        lambda plan: (plan / "master_training_plan.json").write_text(""),
        lambda plan: [path.unlink() for path in plan.glob("*.json")],
    ],
    ids=["truncated", "edited", "without jobs", "empty file", "no master"],
)
@pytest.mark.parametrize("mirror_stays", [True, False])
def test_a_broken_plan_is_refused_and_nothing_is_trained(
    spoil: Callable[[Path], object], mirror_stays: bool, copied, program
) -> None:
    report = copied.results / "globals/training_report.json"
    report.unlink()
    if not mirror_stays:
        (copied.plan / "training_plan.json").unlink()
    spoil(copied.plan)
    ended = program("train", "--data-dir", "data")
    assert ended.code == 2
    assert "training_plan" in ended.error
    assert not report.exists()
    assert not (copied.results / "models").exists()


def test_a_plan_without_jobs_trains_nothing_and_says_why(copied, program) -> None:
    rows = [("y_up_5d", symbol, 0.5, 8000) for symbol in (None, "AAPL", "MSFT")]
    table = pl.DataFrame(rows, schema=["target", "symbol", "score", "sample_size"], orient="row")
    table.write_csv("weak.csv")
    routed = program("route", "weak.csv", "--output-dir", "weak")
    assert routed.code == 0, routed.err
    assert load_training_plan(copied.path / "weak/globals/training_plan").jobs == ()
    ended = program("train", "--data-dir", "data", "--output-dir", "weak")
    assert ended.code == 0, ended.err
    assert "nothing to train: 2 of 2 blocked" in ended.out
    assert not (copied.path / "weak/models").exists()


def test_a_users_own_table_is_routed_and_trained_on_features_that_pass_the_checks(copied, program) -> None:
    rows = [("y_high_vol_20d", symbol, 0.65, 8000) for symbol in (None, "AAPL", "MSFT")]
    table = pl.DataFrame(rows, schema=["target", "symbol", "score", "sample_size"], orient="row")
    table.write_parquet("mine.parquet")
    assert program("route", "mine.parquet", "--output-dir", "mine", "--families", "lightgbm").code == 0
    plan = load_training_plan(copied.path / "mine/globals/training_plan")
    assert {job.metadata.feature_set_id for job in plan.jobs} == {None}
    assert program("validate", "--output-dir", "mine").code == 0
    ended = program("train", "--data-dir", "data", "--output-dir", "mine")
    assert ended.code == 0, ended.err
    manifest = json.loads(next((copied.path / "mine/models").glob("*/LightGBM/manifest.json")).read_text())
    assert len(manifest["features"]) > 10


def test_without_any_plan_one_pooled_job_per_target_is_trained_with_a_warning(copied, program) -> None:
    arguments = ["train", "--data-dir", "data", "--symbols", "AAPL", "MSFT", "--targets", "y_up_5d"]
    arguments += ["--families", "lightgbm", "--output-dir", "fresh/run"]
    ended = program(*arguments)
    assert ended.code == 0, ended.err
    assert "warning: No training plan" in ended.err
    assert (copied.path / "fresh/run/models/cs_y_up_5d/LightGBM/manifest.json").is_file()
    assert not (copied.path / "fresh/run/globals/training_plan").exists()
    again = program(*arguments, "--no-training-plan")
    assert again.code == 0
    assert "warning" not in again.err


def test_no_training_plan_does_not_look_at_the_plan_that_is_there(copied, program) -> None:
    (copied.plan / "master_training_plan.json").write_text("{")
    arguments = ("train", "--data-dir", "data", "--symbols", "AAPL", "--targets", "y_up_5d", "--families", "lightgbm")
    assert program(*arguments).code == 2
    assert program(*arguments, "--no-training-plan").code == 0
    both = program(*arguments, "--no-training-plan", "--training-plan-dir", "results/globals/training_plan")
    assert both.code == 2
    assert "--no-training-plan and --training-plan-dir" in both.error

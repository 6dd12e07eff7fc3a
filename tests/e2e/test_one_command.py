"""The one command on real data: every file, the cache, what people read."""

import json

import polars as pl
import pytest

from trainroute import load_training_plan, pipeline
from trainroute.panel.sample import SAMPLE_TARGETS
from trainroute.records.candidates import COLUMNS

pytestmark = pytest.mark.slow

FILES = [
    "METRICS/routing_candidates.parquet",
    "METRICS/routing_candidates.json",
    "METRICS/target_ranking.json",
    "METRICS/leakage.json",
    "METRICS/routing_plan/routing_plan.json",
    "METRICS/routing_plan/routing_plan.yaml",
    "METRICS/routing_plan/routing_plan.md",
    "globals/training_plan/master_training_plan.json",
    "globals/training_plan/training_plan.json",
    "globals/training_plan/training_plan.yaml",
    "globals/training_plan/training_plan.md",
    "globals/training_plan/by_type/cross_sectional.json",
    "globals/training_plan/by_type/symbol_specific.json",
    "globals/training_plan/by_route/cross_sectional.json",
    "globals/training_plan/by_route/symbol_specific.json",
    "globals/training_plan/by_route/both.json",
    "globals/training_plan/by_route/experimental_only.json",
    "globals/training_ledger.sqlite",
    "globals/training_report.json",
    "globals/training_report.md",
]


def test_every_file_is_written(finished) -> None:
    place, _ = finished
    assert [name for name in FILES if not (place.results / name).is_file()] == []
    assert any((place.results / "METRICS/snapshots").iterdir())


def test_candidates_have_every_column_and_every_pair(finished) -> None:
    place, _ = finished
    table = pl.read_parquet(place.results / "METRICS/routing_candidates.parquet")
    assert table.columns == list(COLUMNS)
    assert table.height == 3 + 3 * 3


def test_exactly_the_plan_is_trained(finished) -> None:
    place, result = finished
    planned = {(job.job_id, family) for job in result.plan.jobs for family in job.model_families}
    done = {(row.job_id, row.family) for row in result.outcome.results if row.state == "done"}
    assert planned
    assert done == planned
    for row in result.outcome.results:
        if row.state == "done":
            assert (place.results / row.artifact / "manifest.json").is_file()
    assert result.exit_code == 0


def test_both_kinds_of_jobs_come_out_of_real_data(finished) -> None:
    _, result = finished
    assert result.plan.summary.total_cs_jobs > 0
    assert result.plan.summary.total_symbol_jobs > 0
    assert {"ROUTE_BLOCKED"} < {route.value for route, count in result.routing.route_counts().items() if count}


def test_no_absolute_path_and_no_time_decides_the_plan(finished, new_workplace) -> None:
    elsewhere = new_workplace()
    again = pipeline.run(
        elsewhere.data,
        symbols=["MSFT", "AAPL", "JPM"],
        targets=["y_will_swing_low_10d_1.00", "y_up_5d", "y_high_vol_20d"],
        families=["xgboost", "lightgbm"],
        output_dir=elsewhere.results,
        config=elsewhere.settings,
        skip_training=True,
    )
    assert again.plan.metadata.plan_id == finished[1].plan.metadata.plan_id
    assert again.routing.plan_id == finished[1].routing.plan_id


def test_second_run_is_served_from_the_cache_and_refresh_is_not(copied, program) -> None:
    arguments = ["run", "--data-dir", "data", "--symbols", *("AAPL", "JPM", "MSFT"), "--targets"]
    arguments += ["y_high_vol_20d", "y_up_5d", "y_will_swing_low_10d_1.00", "--families", "LightGBM", "XGBoost"]
    before = load_training_plan(copied.plan).metadata.plan_id
    second = program(*arguments, "--skip-training")
    assert second.code == 0, second.err
    assert "from the cache" in second.err
    assert load_training_plan(copied.plan).metadata.plan_id == before
    third = program(*arguments, "--skip-training", "--force-refresh")
    assert third.code == 0, third.err
    assert "from the cache" not in third.err
    assert load_training_plan(copied.plan).metadata.plan_id == before


def test_a_change_of_data_is_not_served_from_the_cache(copied, program) -> None:
    path = copied.data / "symbol=MSFT/MSFT.parquet"
    table = pl.read_parquet(path)
    table.head(table.height - 1).write_parquet(path)
    ended = program("run", "--data-dir", "data", "--symbols", "AAPL", "JPM", "MSFT", "--skip-training")
    assert ended.code == 0, ended.err
    assert "from the cache" not in ended.err


def test_ranking_keeps_the_best_targets_only(copied, program) -> None:
    ended = program(
        *("run", "--data-dir", "data", "--symbols", "AAPL", "JPM", "MSFT", "--auto-targets", "--auto-features"),
        *("--top-n-targets", 2, "--top-m-features", 5, "--skip-training"),
    )
    assert ended.code == 0, ended.err
    plan = load_training_plan(copied.plan)
    assert len(plan.metadata.targets) == 2
    assert all(len(features.features) <= 5 for features in plan.feature_sets.values())
    ranking = json.loads((copied.results / "METRICS/target_ranking.json").read_text())["targets"]
    assert {place["target"] for place in ranking if place["selected"]} == set(plan.metadata.targets)
    assert {place["target"] for place in ranking} == set(SAMPLE_TARGETS)


def test_the_screen_says_where_what_and_why(copied, program) -> None:
    arguments = ["run", "--data-dir", "data", "--symbols", "AAPL", "JPM", "MSFT", "--targets", "y_high_vol_20d"]
    ended = program(*arguments, "--families", "LightGBM")
    assert ended.code == 0, ended.err
    for line in (
        "Training routing plan generated",
        "Training plan generated",
        "Training plan filter applied: 1 → 1 targets",
        "Using model families from training plan",
        "Stage 1 (CPU): ",
        "Stage 2 (GPU): ",
    ):
        assert line in ended.err
    for text in (
        "Routes: symbols per target",
        "y_high_vol_20d",
        "Training: jobs per family",
        "trained",
        "results/models",
    ):
        assert text in ended.out


def test_explain_names_states_scores_thresholds_and_reasons(copied, program) -> None:
    ended = program("explain", "--target", "y_up_5d", "--symbol", "AAPL")
    assert ended.code == 0
    for text in ("ROUTE_", "pooled side", "local side", "score", "p_skill", "≥ 0.52", "interval"):
        assert text in ended.out


def test_show_and_diff(copied, program) -> None:
    shown = program("show")
    assert shown.code == 0
    plan = load_training_plan(copied.plan)
    for text in (plan.metadata.plan_id, *(job.job_id for job in plan.jobs)):
        assert text in shown.out
    same = program("diff", "results", "results/globals/training_plan")
    assert same.out == "no difference: the same jobs and routes\n"
    program("run", "--data-dir", "data", "--symbols", "AAPL", "JPM", "MSFT", "--targets", "y_high_vol_20d",
            "--output-dir", "other", "--skip-training")  # fmt: skip
    other = program("diff", "results", "other")
    assert "- cs_y_will_swing_low_10d_1.00: 3 symbols gone" in other.out


def test_validate_accepts_what_run_writes(copied, program) -> None:
    ended = program("validate", "--data-dir", "data")
    assert (ended.code, ended.out.splitlines()[-1].split(": ")[1].split(", ")[1:]) == (0, ["0 problems", "0 warnings"])

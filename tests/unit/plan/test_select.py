"""Questions to a plan; no answer is an empty list."""

import logging
from pathlib import Path

import pytest

from trainroute.errors import BrokenPlanError, PlanNotFoundError
from trainroute.plan import (
    apply_training_plan_filter,
    filter_symbols_by_training_plan,
    filter_targets_by_training_plan,
    get_cs_jobs,
    get_jobs_for_symbol,
    get_jobs_for_target,
    get_model_families_for_job,
    get_symbol_jobs,
    get_training_plan_summary,
    write_training_plan,
)
from trainroute.records.plan import TrainingJob, TrainingPlan

TARGETS = ["dead", "pooled", "own", "elsewhere"]
SYMBOLS = ["OWN", "CS", "BOTH", "elsewhere"]


def _ids(jobs: list[TrainingJob]) -> list[str]:
    return [job.job_id for job in jobs]


def test_jobs_by_type_target_and_symbol(plan: TrainingPlan) -> None:
    assert _ids(get_cs_jobs(plan)) == ["cs_pooled", "cs_lane"]
    assert _ids(get_symbol_jobs(plan)) == ["sym_own_OWN", "sym_pooled_BOTH", "sym_pooled_OWN", "sym_own_CS"]
    assert _ids(get_jobs_for_target(plan, "own")) == ["sym_own_OWN", "sym_own_CS"]
    assert _ids(get_jobs_for_symbol(plan, "CS")) == ["sym_own_CS"]
    assert get_jobs_for_target(plan, "dead") == get_jobs_for_symbol(plan, "elsewhere") == []


def test_families_are_those_of_the_one_job(plan: TrainingPlan) -> None:
    every = ["LightGBM", "XGBoost", "Ensemble"]
    assert get_model_families_for_job(plan, "pooled", None, "cross_sectional") == every
    assert get_model_families_for_job(plan, "pooled", "CS", "cross_sectional") == every
    assert get_model_families_for_job(plan, "own", "CS", "symbol_specific") == ["LightGBM"]
    assert get_model_families_for_job(plan, "own", None, "cross_sectional") == []
    assert get_model_families_for_job(plan, "pooled", "CS", "symbol_specific") == []
    assert get_model_families_for_job(plan, "pooled", None, "symbol_specific") == []
    assert get_model_families_for_job(plan, "elsewhere", None, "cross_sectional") == []


def test_filters_keep_the_order_and_never_give_everything(plan: TrainingPlan) -> None:
    assert filter_targets_by_training_plan(TARGETS, plan) == ["pooled"]
    assert filter_targets_by_training_plan(TARGETS[::-1], plan, "symbol_specific") == ["own", "pooled"]
    assert filter_targets_by_training_plan(["dead"], plan) == []
    assert filter_symbols_by_training_plan("pooled", SYMBOLS, plan) == ["OWN", "BOTH"]
    assert filter_symbols_by_training_plan("lane", SYMBOLS, plan) == []
    assert filter_symbols_by_training_plan("dead", SYMBOLS, plan) == []


def test_the_filter_from_disk(plan: TrainingPlan, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_training_plan(plan, tmp_path)
    with caplog.at_level(logging.INFO, logger="trainroute"):
        targets, symbols = apply_training_plan_filter(TARGETS, SYMBOLS, tmp_path)
    assert targets == ["pooled"]
    assert symbols == {"dead": [], "pooled": ["OWN", "BOTH"], "own": ["OWN", "CS"], "elsewhere": []}
    assert "Training plan filter applied: 4 → 1 targets" in caplog.messages
    assert apply_training_plan_filter(TARGETS, SYMBOLS, str(tmp_path), use_cs_plan=False)[0] == TARGETS
    assert apply_training_plan_filter(TARGETS, SYMBOLS, tmp_path, use_symbol_plan=False)[1]["dead"] == SYMBOLS


def test_the_filter_never_passes_over_a_bad_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanNotFoundError):
        apply_training_plan_filter(TARGETS, SYMBOLS, tmp_path / "absent")
    (tmp_path / "master_training_plan.json").write_text("")
    with pytest.raises(BrokenPlanError):
        apply_training_plan_filter(TARGETS, SYMBOLS, tmp_path)


def test_the_summary_reads_as_a_mapping(plan: TrainingPlan) -> None:
    summary = get_training_plan_summary(plan)
    assert summary["total_cs_jobs"] == 2
    assert dict(summary)["by_type"] == {"cross_sectional": 2, "symbol_specific": 4}

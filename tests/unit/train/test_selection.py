from collections.abc import Callable
from typing import Any

import pytest

from trainroute.errors import PlanError, UnknownNameError, UsageError
from trainroute.families import FAMILIES, FamilySelection
from trainroute.panel import Panel
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.results import FamilyState
from trainroute.records.selectors import Selector
from trainroute.train.selection import check_against_panel, job_features, select

MakeJob = Callable[..., TrainingJob]
MakePlan = Callable[..., TrainingPlan]
MakePanel = Callable[..., Panel]


def _select(plan: TrainingPlan, **changes: Any) -> list[tuple[str, str]]:
    families = changes.pop("families", None)
    found = select(
        plan, families=families, selector=Selector(**{name: tuple(given) for name, given in changes.items()})
    )
    return [(result.job_id, result.family) for result in found.pending]


def test_exactly_the_plans_pairs_run_by_priority_then_job_then_stage_order(
    make_plan: MakePlan, make_job: MakeJob
) -> None:
    plan = make_plan(
        make_job("y_regression", families=("LightGBM",), priority=5),
        make_job("y_binary", "S2", families=("Ensemble", "LightGBM"), priority=9),
        make_job("y_binary", families=("XGBoost",), priority=9),
    )
    assert _select(plan) == [
        ("cs_y_binary", "XGBoost"),
        ("sym_y_binary_S2", "LightGBM"),
        ("sym_y_binary_S2", "Ensemble"),
        ("cs_y_regression", "LightGBM"),
    ]


def test_families_narrow_a_plan_and_never_widen_it(make_plan: MakePlan, make_job: MakeJob) -> None:
    left_out = {"Ensemble": "Ensemble needs 300 rows, got 250"}
    plan = make_plan(
        make_job("y_binary", families=("LightGBM", "XGBoost")),
        make_job("y_binary", "S1", families=("LightGBM",), families_left_out=left_out),
    )
    found = select(plan, families=["xgboost", "ensemble"])
    assert [(r.job_id, r.family) for r in found.pending] == [("cs_y_binary", "XGBoost")]
    assert {(r.job_id, r.family, r.state, r.reason) for r in found.closed} == {
        ("cs_y_binary", "Ensemble", FamilyState.NOT_PLANNED, "not planned: the plan does not assign it to this job"),
        ("sym_y_binary_S1", "XGBoost", FamilyState.NOT_PLANNED, "not planned: the plan does not assign it to this job"),
        ("sym_y_binary_S1", "Ensemble", FamilyState.NOT_PLANNED, "not planned: Ensemble needs 300 rows, got 250"),
    }


def test_what_the_planner_left_out_is_told_without_being_asked_for(make_plan: MakePlan, make_job: MakeJob) -> None:
    left_out = {"ensemble": "Ensemble needs 300 rows, got 250", "NoLongerThere": "x"}
    plan = make_plan(make_job(families=("LightGBM",), families_left_out=left_out))
    found = select(plan, families=None)
    assert [(r.family, r.reason) for r in found.closed] == [
        ("Ensemble", "not planned: Ensemble needs 300 rows, got 250")
    ]


def test_targets_and_symbols_select_jobs_and_a_pool_stays_whole(make_plan: MakePlan, make_job: MakeJob) -> None:
    plan = make_plan(
        make_job("y_binary", symbols=("S0", "S1")),
        make_job("y_binary", "S1"),
        make_job("y_binary", "S2"),
        make_job("y_regression", symbols=("S2",), training_symbols=("S0", "S1", "S2")),
    )
    assert _select(plan, targets=["y_regression"]) == [("cs_y_regression", "LightGBM")]
    assert _select(plan, symbols=["S1"]) == [("cs_y_binary", "LightGBM"), ("sym_y_binary_S1", "LightGBM")]
    assert _select(plan, symbols=["S0"], targets=["y_regression"]) == []
    found = select(plan, families=None, selector=Selector(symbols=("S1",)))
    assert found.jobs[0].metadata.training_symbols == ("S0", "S1")


def test_unknown_names_are_refused(make_plan: MakePlan, make_job: MakeJob) -> None:
    plan = make_plan(make_job())
    with pytest.raises(UnknownNameError, match="unknown target of this plan 'y_binry'; did you mean 'y_binary'"):
        _select(plan, targets=["y_binry"])
    with pytest.raises(UnknownNameError, match="unknown symbol of this plan 'AAPL'"):
        _select(plan, symbols=["AAPL"])
    with pytest.raises(UsageError, match="unknown model family 'LightGMB'; did you mean 'LightGBM'"):
        _select(plan, families=["LightGMB"])
    with pytest.raises(UnknownNameError, match="unknown model family 'Oracle'"):
        _select(make_plan(make_job(families=("Oracle",))))


def test_a_blocked_target_of_the_plan_is_known_and_selects_nothing(make_plan: MakePlan, make_job: MakeJob) -> None:
    assert _select(make_plan(make_job("y_binary")), targets=["y_multiclass"]) == []


@pytest.mark.parametrize(
    ("families", "state"),
    [
        (["LightGBM", "XGBoost"], FamilyState.FAILED),
        (FamilySelection(names=("LightGBM", "XGBoost"), by_name=True), FamilyState.FAILED),
        (FamilySelection(names=("LightGBM", "XGBoost")), FamilyState.SKIPPED),
        (None, FamilyState.SKIPPED),
    ],
)
def test_a_missing_library_is_a_failure_only_for_a_family_asked_for_by_name(
    make_plan: MakePlan,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
    families: FamilySelection | list[str] | None,
    state: FamilyState,
) -> None:
    monkeypatch.setattr(FAMILIES.get("XGBoost"), "requires", ("no_such_library",))
    monkeypatch.setattr(FAMILIES.get("XGBoost"), "extra", "boosting")
    plan = make_plan(make_job(families=("LightGBM", "XGBoost")))
    found = select(plan, families=families)
    assert [result.family for result in found.pending] == ["LightGBM"]
    assert [(result.family, result.state, result.reason) for result in found.closed] == [
        ("XGBoost", state, "no_such_library is not installed; pip install 'trainroute[boosting]'")
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "y_none"}, "the data have no target 'y_none'"),
        ({"symbol": "S9"}, "the data have no symbol S9"),
        ({"symbols": ("S0", "S8"), "symbol": None}, "the data have no symbol S8"),
        ({"feature_set_id": "none"}, "the plan has no feature set 'none'"),
    ],
)
def test_a_plan_for_other_data_is_refused_before_any_work(
    make_plan: MakePlan, make_job: MakeJob, make_panel: MakePanel, changes: dict[str, object], message: str
) -> None:
    plan = make_plan(make_job(**{"symbol": "S0", **changes}))
    with pytest.raises(PlanError, match=message):
        check_against_panel(plan, plan.jobs, make_panel())


def test_features_are_those_of_the_set_or_all(make_plan: MakePlan, make_job: MakeJob, make_panel: MakePanel) -> None:
    plan = make_plan(make_job(feature_set_id="two"), make_job("y_regression"))
    assert job_features(plan, plan.jobs[0], make_panel()) == ("f1", "f0")
    assert job_features(plan, plan.jobs[1], make_panel()) == ("f0", "f1", "f2", "f3")


def test_a_pooled_job_without_symbols_to_train_on_is_refused(
    make_plan: MakePlan, make_job: MakeJob, make_panel: MakePanel
) -> None:
    job = make_job(symbols=("S0",), training_symbols=())
    with pytest.raises(PlanError, match="cs_y_binary: has no symbol to train on"):
        check_against_panel(make_plan(job), [job], make_panel())

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from trainroute.config import Config
from trainroute.config.schema import FamilyConfig, TrainingConfig
from trainroute.errors import ConfigError, PlanError
from trainroute.families import FamilySelection
from trainroute.panel import Panel
from trainroute.records.artifacts import read_json_artifact
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.results import FamilyState
from trainroute.records.selectors import Selector
from trainroute.train import TrainingOutcome, load_model, select, train_nothing, train_plan
from trainroute.train.ledger import Ledger

MakeJob = Callable[..., TrainingJob]
MakePlan = Callable[..., TrainingPlan]
MakePanel = Callable[..., Panel]

QUICK = FamilyConfig(hyperparameters={"rounds": 20, "rounds_without_validation": 20})
CONFIG = Config(training=TrainingConfig(workers=2, families={"LightGBM": QUICK, "XGBoost": QUICK, "Ensemble": QUICK}))
ASKED = FamilySelection(names=("LightGBM", "XGBoost", "Ensemble"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def plan(make_plan: MakePlan, make_job: MakeJob) -> TrainingPlan:
    return make_plan(
        make_job("y_binary", families=("LightGBM", "XGBoost", "Ensemble"), cs_score=0.7, symbols=("S0", "S1")),
        make_job("y_multiclass", "S1", families=("XGBoost",), feature_set_id="two", local_score=0.6, priority=50),
        make_job("y_regression", "S2", families=("LightGBM",), priority=40),
    )


_OUTCOMES: dict[Path, tuple[TrainingOutcome, list[str]]] = {}


@pytest.fixture
def trained(
    plan: TrainingPlan, make_panel: MakePanel, folder: Path, caplog: pytest.LogCaptureFixture
) -> tuple[TrainingOutcome, list[str]]:
    """The plan, trained once for all tests of this module, and what was logged."""
    if folder not in _OUTCOMES:
        (folder / "models/cs_y_gone/LightGBM").mkdir(parents=True)
        (folder / "models/cs_y_gone/LightGBM/manifest.json").touch()
        with caplog.at_level(logging.INFO, logger="trainroute"):
            outcome = train_plan(plan, make_panel(), CONFIG, output_dir=folder, families=ASKED)
        _OUTCOMES[folder] = outcome, [record.getMessage() for record in caplog.records]
    return _OUTCOMES[folder]


def test_exactly_the_planned_pairs_are_trained(trained: tuple[TrainingOutcome, list[str]], folder: Path) -> None:
    outcome, _ = trained
    done = {(r.job_id, r.family) for r in outcome.results if r.state is FamilyState.DONE}
    assert done == {
        ("cs_y_binary", "LightGBM"),
        ("cs_y_binary", "XGBoost"),
        ("cs_y_binary", "Ensemble"),
        ("sym_y_multiclass_S1", "XGBoost"),
        ("sym_y_regression_S2", "LightGBM"),
    }
    on_disk = {(path.parent.parent.name, path.parent.name) for path in (folder / "models").glob("*/*/manifest.json")}
    assert on_disk == done | {("cs_y_gone", "LightGBM")}
    assert outcome.counts[FamilyState.NOT_PLANNED] == 4
    assert (outcome.exit_code, outcome.all_failed, outcome.nothing_to_train) == (0, False, None)


def test_the_log_says_what_the_contract_promises(trained: tuple[TrainingOutcome, list[str]]) -> None:
    _, lines = trained
    assert lines == [
        "Using model families from training plan",
        "Stage 1 (CPU): 5 models of 3 jobs (LightGBM, XGBoost, Ensemble) on 2 workers",
        "Stage 2 (GPU): nothing to train",
    ]


def test_models_are_as_their_jobs_say(trained: tuple[TrainingOutcome, list[str]], folder: Path) -> None:
    assert trained
    _, pooled = load_model(folder / "models/cs_y_binary/LightGBM")
    assert pooled.training_symbols == ("S0", "S1")
    assert set(pooled.holdout.symbols) == {"S0", "S1"}
    assert pooled.features == ("f0", "f1", "f2", "f3")
    _, local = load_model(folder / "models/sym_y_multiclass_S1/XGBoost")
    assert local.features == ("f1", "f0")
    assert local.training_symbols == tuple(local.holdout.symbols) == ("S1",)
    assert local.plan_id == "a" * 16


def test_ledger_report_and_manifests_agree(
    trained: tuple[TrainingOutcome, list[str]], plan: TrainingPlan, folder: Path
) -> None:
    outcome, _ = trained
    with Ledger(outcome.ledger_path, plan.metadata.plan_id) as ledger:
        rows = ledger.results()
    assert set(rows) == set(outcome.results)
    for row in rows:
        if row.state is FamilyState.DONE:
            _, manifest = load_model(folder / str(row.artifact))
            assert row.score == manifest.holdout.score
            assert row.attempts == 1
            assert (row.seconds or 0) > 0
            assert (row.peak_memory_bytes or 0) > 20 << 20


def test_the_report_compares_planned_with_executed_and_expected_with_realised(
    trained: tuple[TrainingOutcome, list[str]], folder: Path
) -> None:
    outcome, _ = trained
    report = outcome.report
    assert read_json_artifact(folder / "globals/training_report.json")["plan_id"] == report.plan_id
    assert (report.planned, report.executed, report.gaps) == (5, 5, ())
    assert report.families["LightGBM"].planned == report.families["LightGBM"].executed == 2
    assert report.families["LightGBM"].not_planned == 1
    pooled = report.routes["ROUTE_CROSS_SECTIONAL"]
    scores = [r.score for r in outcome.results if r.job_id == "cs_y_binary" and r.score is not None]
    assert (pooled.models, pooled.targets, pooled.expected_score) == (3, 1, pytest.approx(0.7))
    assert pooled.realised_score == pytest.approx(sum(scores) / 3), "all were scored on the same rows"
    assert pooled.difference.estimate == pytest.approx(pooled.realised_score - 0.7)
    assert (pooled.difference.low, pooled.slope) == (None, None), "one target, one expected score"
    assert report.routes["ROUTE_SYMBOL_SPECIFIC"].models == 1, "the other local job expects nothing"
    assert report.left_over_models == ("cs_y_gone",)
    text = (folder / "globals/training_report.md").read_text()
    for part in (
        "5 of 5 planned models were trained",
        "| ROUTE_CROSS_SECTIONAL | 3 | 1 | 0.7000 |",
        "cs_y_gone",
    ):
        assert part in text


def test_nothing_of_the_run_is_left_beside_its_results(
    trained: tuple[TrainingOutcome, list[str]], folder: Path
) -> None:
    assert trained
    names = {path.name for path in (folder / "globals").iterdir()}
    assert names == {"training_ledger.sqlite", "training_report.json", "training_report.md"}
    assert not any((folder / "models").rglob(".*"))


def test_another_run_gives_the_same_models(
    trained: tuple[TrainingOutcome, list[str]],
    plan: TrainingPlan,
    make_panel: MakePanel,
    folder: Path,
    tmp_path: Path,
) -> None:
    assert trained
    train_plan(plan, make_panel(), CONFIG, output_dir=tmp_path, selector=Selector(symbols=("S1",)))
    again = {path.relative_to(tmp_path): path for path in (tmp_path / "models").rglob("*") if path.is_file()}
    assert {path.parts[1] for path in again} == {"cs_y_binary", "sym_y_multiclass_S1"}
    for relative, path in again.items():
        assert path.read_bytes() == (folder / relative).read_bytes(), relative


def test_a_plan_without_jobs_says_why_and_is_fine(
    make_plan: MakePlan, make_panel: MakePanel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = make_plan(blocked={"no side has skill": 6, "leakage": 3})
    with caplog.at_level(logging.INFO, logger="trainroute"):
        outcome = train_plan(plan, make_panel(), CONFIG, output_dir=tmp_path)
    assert outcome.nothing_to_train == "nothing to train: 9 of 9 blocked, 6 no side has skill, 3 leakage"
    assert caplog.messages == [outcome.nothing_to_train]
    assert outcome.exit_code == 0
    assert (tmp_path / "globals/training_report.json").is_file()


def test_a_selection_without_jobs_says_so(
    make_plan: MakePlan, make_job: MakeJob, make_panel: MakePanel, tmp_path: Path
) -> None:
    plan = make_plan(make_job("y_binary", families=("LightGBM",)))
    unselected = train_plan(
        plan, make_panel(), CONFIG, output_dir=tmp_path, selector=Selector(targets=("y_regression",))
    )
    assert unselected.nothing_to_train == "nothing to train: none of the plan's 1 jobs is selected"
    unasked = train_plan(plan, make_panel(), CONFIG, output_dir=tmp_path, families=["XGBoost"])
    assert unasked.nothing_to_train is not None
    assert "no family that was asked for is planned for the 1 selected jobs" in unasked.nothing_to_train


def test_wrong_settings_and_foreign_plans_stop_before_any_file_is_written(
    make_plan: MakePlan, make_job: MakeJob, make_panel: MakePanel, tmp_path: Path
) -> None:
    wrong = Config(training=TrainingConfig(families={"LightGBM": FamilyConfig(hyperparameters={"nope": 1})}))
    with pytest.raises(ConfigError, match="nope"):
        train_plan(make_plan(make_job()), make_panel(), wrong, output_dir=tmp_path)
    with pytest.raises(PlanError, match="y_other"):
        train_plan(make_plan(make_job("y_other")), make_panel(), CONFIG, output_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_job_that_cannot_learn_fails_by_name_and_is_not_tried_again(
    make_plan: MakePlan, make_job: MakeJob, make_panel: MakePanel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    panel = make_panel(starts={"S1": 650})
    plan = make_plan(make_job("y_binary", "S1"), make_job("y_binary", "S0"))
    outcome = train_plan(plan, panel, CONFIG, output_dir=tmp_path)
    short, long = sorted(outcome.results, key=lambda result: result.symbol == "S0")
    assert (short.state, short.attempts) == (FamilyState.FAILED, 1)
    assert short.reason == "LightGBM: 65 training rows; at least 200 are needed"
    assert long.state is FamilyState.DONE
    assert outcome.exit_code == 1
    assert outcome.report.gaps == (f"sym_y_binary_S1 × LightGBM: failed: {short.reason}",)
    assert f"sym_y_binary_S1 × LightGBM: failed: {short.reason}" in caplog.messages


def test_pairs_without_a_job_are_counted_from_the_plan(make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan(blocked={"leakage": 3, "too few rows": 48})
    summary = structs.replace(plan.summary, total_pairs=60, pairs_without_pool=9)
    plan = structs.replace(plan, summary=summary)
    selection = select(plan, families=None)
    outcome = train_nothing(plan, selection, output_dir=tmp_path)
    assert outcome.nothing_to_train == (
        "nothing to train: 51 of 60 blocked, 48 too few rows, 9 routed to a pool that no symbol may teach, 3 leakage"
    )


def test_jobs_that_differ_only_in_case_share_no_folder(
    make_plan: MakePlan, make_job: MakeJob, make_panel: MakePanel, tmp_path: Path
) -> None:
    panel = make_panel(n_symbols=2)
    panel = replace(panel, rows=(replace(panel.rows[0], symbol="SPY"), replace(panel.rows[1], symbol="spy")))
    outcome = train_plan(
        make_plan(make_job("y_binary", "SPY"), make_job("y_binary", "spy"), make_job("y_binary", symbols=("SPY",))),
        panel,
        CONFIG,
        output_dir=tmp_path,
    )
    found = {result.job_id: str(result.artifact) for result in outcome.results}
    assert len({path.casefold() for path in found.values()}) == 3
    assert found["cs_y_binary"] == "models/cs_y_binary/LightGBM"
    assert {job_id: load_model(tmp_path / path)[1].job_id for job_id, path in found.items()} == {
        name: name for name in found
    }
    assert outcome.report.left_over_models == ()

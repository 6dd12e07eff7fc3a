import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trainroute.config import Config
from trainroute.panel import Panel
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.train import TrainingOutcome, select, train_plan
from trainroute.train.ledger import Ledger
from trainroute.train.resume import ToDo, left_to_do
from trainroute.train.settings import family_settings
from trainroute.train.tasks import make_tasks

MakePlan = Callable[..., TrainingPlan]
PAIRS = 2
QUICK = {"LightGBM": {"hyperparameters": {"rounds": 5, "rounds_without_validation": 5}}}
_FIRST: list[tuple[Path, TrainingOutcome]] = []


def _config(**given: Any) -> Config:
    return Config.model_validate({**given, "training": {"workers": 2, "families": QUICK, **given.get("training", {})}})


@pytest.fixture
def panel(make_panel: Callable[..., Panel]) -> Panel:
    return make_panel(n_symbols=2)


@pytest.fixture
def plan(make_plan: MakePlan, make_job: Callable[..., TrainingJob]) -> TrainingPlan:
    return make_plan(make_job("y_binary", "S0"), make_job("y_binary", "S1"), plan_id="p")


@pytest.fixture
def first(
    plan: TrainingPlan, panel: Panel, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TrainingOutcome]:
    """A copy of what a first run has left, and its outcome; it runs once for all tests."""
    if not _FIRST:
        folder = tmp_path_factory.mktemp("first")
        _FIRST.append((folder, train_plan(plan, panel, _config(), output_dir=folder)))
    folder, outcome = _FIRST[0]
    shutil.copytree(folder, tmp_path / "results")
    return tmp_path / "results", outcome


def _to_do(plan: TrainingPlan, panel: Panel, config: Config, folder: Path) -> ToDo:
    pending = select(plan).pending
    tasks = make_tasks(plan, pending, panel, config, family_settings(["LightGBM"], config.training))
    return left_to_do(pending, tasks, (), folder)


def test_what_is_done_is_kept_with_all_that_is_known_of_it(
    first: tuple[Path, TrainingOutcome], plan: TrainingPlan, panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    folder, made = first
    before = {path: path.stat().st_mtime_ns for path in (folder / "models").rglob("*")}
    with caplog.at_level(logging.INFO, logger="trainroute"):
        second = train_plan(plan, panel, _config(), output_dir=folder, resume=True)
    assert {path: path.stat().st_mtime_ns for path in (folder / "models").rglob("*")} == before
    assert not any("Stage" in line for line in caplog.messages), "no worker is started for nothing"
    assert second.results == tuple(msgspec.structs.replace(row, resumed=True) for row in made.results)
    with Ledger(second.ledger_path, "p") as ledger:
        assert ledger.results() == second.results
    counts = second.report.families["LightGBM"]
    assert (counts.planned, counts.executed, counts.resumed, second.exit_code) == (PAIRS, 0, PAIRS, 0)
    assert second.report.trained_again == ()
    assert "0 of 2 planned models were trained, 2 kept" in second.report_path.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": {"seed": 1}}, "seed"),
        ({"training": {"families": {"LightGBM": {"hyperparameters": {"rounds": 6}}}}}, "hyperparameters"),
        ({"holdout": {"fraction": 0.2}}, "holdout"),
        ({"validation": {"n_blocks": 6}}, "validation"),
        ({"data": {"exclude_columns": ["x"]}}, "data settings"),
    ],
)
def test_a_model_of_other_settings_is_trained_again_and_the_setting_named(
    first: tuple[Path, TrainingOutcome], plan: TrainingPlan, panel: Panel, change: dict[str, Any], said: str
) -> None:
    found = _to_do(plan, panel, _config(**change), first[0])
    assert found.kept == ()
    assert found.trained_again == tuple(
        f"sym_y_binary_{symbol} × LightGBM: {said} changed since it was trained" for symbol in ("S0", "S1")
    )


def test_other_data_another_plan_and_other_jobs_are_named(
    first: tuple[Path, TrainingOutcome],
    make_plan: MakePlan,
    make_job: Callable[..., TrainingJob],
    plan: TrainingPlan,
    panel: Panel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, _ = first
    other_data = _to_do(plan, replace(panel, fingerprint="1" * 64), _config(), folder)
    assert all(": data changed" in line for line in other_data.trained_again)
    jobs = make_job("y_binary", "S0", feature_set_id="two"), make_job("y_binary", "S1")
    other_plan = _to_do(make_plan(*jobs, plan_id="q"), panel, _config(), folder)
    assert [line.split(": ")[1].split(" changed")[0] for line in other_plan.trained_again] == ["plan, job", "plan"]
    monkeypatch.setattr("trainroute.train.inputs.code_version", lambda: "another")
    assert all(": code changed" in line for line in _to_do(plan, panel, _config(), folder).trained_again)


def test_limits_and_workers_decide_nothing(
    first: tuple[Path, TrainingOutcome], plan: TrainingPlan, panel: Panel
) -> None:
    config = _config(training={"workers": 1, "attempts": 5, "memory_limit_mb": 2000, "threads_per_worker": 2})
    assert len(_to_do(plan, panel, config, first[0]).kept) == PAIRS


@pytest.mark.parametrize(
    ("name", "damage"),
    [("model.txt", "edited"), ("model.txt", "gone"), ("model.txt", "empty"), ("manifest.json", "cut")],
)
def test_a_damaged_artifact_is_trained_again(
    first: tuple[Path, TrainingOutcome], plan: TrainingPlan, panel: Panel, name: str, damage: str
) -> None:
    folder, made = first
    file = folder / "models/sym_y_binary_S0/LightGBM" / name
    good = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"edited": good.replace(b"0", b"1", 1), "empty": b"", "cut": good[:-20]}[damage])
    found = _to_do(plan, panel, _config(), folder)
    (line,) = found.trained_again
    assert line.startswith("sym_y_binary_S0 × LightGBM: ")
    assert name in line
    assert [row.symbol for row in found.kept] == ["S1"]
    if damage == "edited":
        second = train_plan(plan, panel, _config(), output_dir=folder, resume=True)
        assert (second.report.executed, second.report.resumed) == (1, 1)
        assert second.report.trained_again == (line,)
        assert file.read_bytes() == good
        assert [row.score for row in second.results] == [row.score for row in made.results]


def test_a_model_that_the_ledger_does_not_know_is_kept_by_its_manifest(
    first: tuple[Path, TrainingOutcome], plan: TrainingPlan, panel: Panel
) -> None:
    folder, made = first
    for path in (folder / "globals").glob("training_ledger*"):
        path.unlink()
    second = train_plan(plan, panel, _config(), output_dir=folder, resume=True)
    known = [(row.score, row.scored_rows, row.artifact) for row in made.results]
    assert [(row.score, row.scored_rows, row.artifact) for row in second.results] == known
    assert all(row.resumed and row.seconds is None for row in second.results)
    assert "| LightGBM | 2 | 0 | 2 |" in second.report_path.with_suffix(".md").read_text()


def test_a_pair_without_a_model_is_just_trained(
    first: tuple[Path, TrainingOutcome], plan: TrainingPlan, panel: Panel
) -> None:
    shutil.rmtree(first[0] / "models/sym_y_binary_S1")
    found = _to_do(plan, panel, _config(), first[0])
    assert ([row.symbol for row in found.pending], found.trained_again) == (["S1"], ())

"""Finding and reading a plan: the first directory decides, and what cannot be trusted is refused in one line."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from trainroute.errors import BrokenPlanError, PlanError, PlanNotFoundError
from trainroute.plan import find_training_plan_dir, load_training_plan, write_training_plan
from trainroute.records.artifacts import write_json_artifact
from trainroute.records.plan import TrainingPlan

MASTER = "master_training_plan.json"


def _edited(directory: Path, change: Any, *, keep_hash: bool = False) -> None:
    """Change the master as a person would; with a new hash unless ``keep_hash``."""
    path = directory / MASTER
    document = json.loads(path.read_text())
    change(document)
    if keep_hash:
        path.write_text(json.dumps(document))
        return
    document.pop("content_sha256")
    write_json_artifact(path, document)


@pytest.fixture
def directory(plan: TrainingPlan, tmp_path: Path) -> Path:
    write_training_plan(plan, tmp_path / "training_plan")
    return tmp_path / "training_plan"


def test_write_then_read_is_identity(plan: TrainingPlan, directory: Path) -> None:
    assert load_training_plan(directory) == plan
    assert load_training_plan(directory / MASTER) == plan


def test_the_plan_reads_as_a_mapping(directory: Path) -> None:
    plan = load_training_plan(directory)
    assert plan["jobs"][0]["job_id"] == "cs_pooled"
    assert plan["metadata"]["total_jobs"] == len(plan["jobs"])
    assert set(plan) == {"metadata", "feature_sets", "jobs", "summary"}


def test_the_mirror_is_read_only_where_the_master_is_absent(plan: TrainingPlan, directory: Path) -> None:
    (directory / MASTER).write_text("")
    with pytest.raises(BrokenPlanError, match=r"master_training_plan.json: the file is empty"):
        load_training_plan(directory)
    (directory / MASTER).unlink()
    assert load_training_plan(directory) == plan


def test_a_directory_without_plan(tmp_path: Path) -> None:
    with pytest.raises(BrokenPlanError, match=r"holds neither master_training_plan.json nor training_plan.json"):
        load_training_plan(tmp_path)
    with pytest.raises(PlanNotFoundError, match="no such training plan directory"):
        load_training_plan(tmp_path / "absent")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("jobs"), "has no 'jobs'"),
        (lambda d: d.pop("summary"), "has no 'summary'"),
        (lambda d: d.update(jobs=None), "does not fit the schema"),
        (lambda d: d.update(jobs={}), "does not fit the schema"),
        (lambda d: d.update(metadata=[]), "does not fit the schema"),
        (lambda d: d["metadata"].update(schema_version=2), "schema_version is 2, expected 1"),
        (lambda d: d["metadata"].update(schema_version="1"), 'schema_version is "1", expected 1'),
        (lambda d: d["metadata"].pop("schema_version"), "schema_version is missing"),
        (lambda d: d["metadata"].pop("plan_id"), "does not fit the schema"),
        (lambda d: d["metadata"].update(total_jobs=7), "total_jobs is 7, but it holds 6"),
        (lambda d: d["jobs"].append(d["jobs"][0]), "two jobs have the job_id cs_pooled"),
        (lambda d: d["jobs"][0].update(job_id="cs_other"), "job 'cs_other' should be 'cs_pooled'"),
        (lambda d: d["jobs"][0].update(symbol="AAPL"), "job 'cs_pooled' should be 'sym_pooled_AAPL'"),
        (lambda d: d["jobs"][0].update(priority="high"), "Expected `int`, got `str`"),
        (lambda d: d["jobs"][0].update(route="CROSS_SECTIONAL"), "Invalid enum value"),
        (lambda d: d["jobs"][0].update(extra=1), "unknown field `extra`"),
        (lambda d: d["jobs"][0].pop("target"), "missing required field `target`"),
        (lambda d: d["jobs"].pop(), "total_jobs is 6, but it holds 5"),
        (lambda d: d["jobs"][0].update(priority=999), "its jobs do not match its plan_id: edited"),
        (lambda d: d["jobs"][0]["model_families"].pop(), "its jobs do not match its plan_id: edited"),
        (lambda d: d["feature_sets"]["fs_y"]["features"].append("leak"), "do not match its plan_id"),
    ],
)
def test_a_plan_that_was_changed_and_hashed_again(directory: Path, change: Any, message: str) -> None:
    _edited(directory, change)
    with pytest.raises(BrokenPlanError) as caught:
        load_training_plan(directory)
    assert message in str(caught.value)
    assert str(directory / MASTER) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_edited_by_hand(directory: Path) -> None:
    _edited(directory, lambda d: d["jobs"].pop(), keep_hash=True)
    with pytest.raises(BrokenPlanError, match="does not match its content_sha256: edited or corrupted"):
        load_training_plan(directory)


def test_a_plan_without_its_hash(directory: Path) -> None:
    _edited(directory, lambda d: d.pop("content_sha256"), keep_hash=True)
    with pytest.raises(BrokenPlanError, match="has no content_sha256"):
        load_training_plan(directory)


def test_reformatted_is_not_edited(plan: TrainingPlan, directory: Path) -> None:
    document = json.loads((directory / MASTER).read_text())
    (directory / MASTER).write_text(json.dumps(document, indent=4, sort_keys=True))
    assert load_training_plan(directory) == plan


def test_truncated_anywhere(directory: Path) -> None:
    data = (directory / MASTER).read_bytes()
    for length in range(0, len(data) - 1, 97):
        (directory / MASTER).write_bytes(data[:length])
        with pytest.raises(BrokenPlanError):
            load_training_plan(directory)


LEGACY: dict[str, Any] = {
    "metadata": {"generated_at": "2024-01-01", "git_commit": "abc", "total_jobs": 2, "note": "anything"},
    "jobs": [
        {
            "job_id": "old_name",
            "target": "y",
            "symbol": None,
            "route": "ROUTE_CROSS_SECTIONAL",
            "training_type": "cross_sectional",
            "model_families": ["LightGBM"],
            "priority": 1,
            "reason": "",
            "metadata": {"cs_state": "STRONG", "whatever": 1},
        },
        {"target": "y", "symbol": "A", "model_families": ["XGBoost"], "priority": 2},
    ],
}


def test_a_legacy_plan_is_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / MASTER).write_text(json.dumps(LEGACY))
    with caplog.at_level(logging.WARNING, logger="trainroute"):
        plan = load_training_plan(tmp_path)
    assert "staleness and edits cannot be checked" in caplog.text
    assert [(job.job_id, job.route) for job in plan.jobs] == [
        ("sym_y_A", "ROUTE_SYMBOL_SPECIFIC"),
        ("cs_y", "ROUTE_CROSS_SECTIONAL"),
    ]
    assert (plan.metadata.schema_version, plan.metadata.plan_id) == (0, "")
    assert plan.summary.total_cs_jobs == plan.summary.total_symbol_jobs == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jobs": None}, "does not fit the schema"),
        ({"jobs": [{"symbol": "A"}]}, "does not fit the schema"),
        ({"jobs": LEGACY["jobs"] * 2}, "two jobs have the job_id cs_y"),
        (
            {"jobs": [LEGACY["jobs"][0] | {"symbol": "A"}]},
            "the cross_sectional job of target 'y' has symbol 'A'",
        ),
    ],
)
def test_a_broken_legacy_plan(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / MASTER).write_text(json.dumps(LEGACY | change))
    with pytest.raises(BrokenPlanError, match=message):
        load_training_plan(tmp_path)


@pytest.mark.parametrize("content", [{}, {"metadata": {}}, {"metadata": {"generated_at": "x"}, "summary": {}}])
def test_a_legacy_plan_without_jobs(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / MASTER).write_text(json.dumps(content))
    with pytest.raises(BrokenPlanError, match="has no 'jobs'"):
        load_training_plan(tmp_path)


def _make(*directories: Path) -> None:
    for directory in directories:
        directory.mkdir(parents=True)


def test_the_places_in_their_order(tmp_path: Path) -> None:
    output = tmp_path / "results" / "run"
    places = [
        output / "globals/training_plan",
        output.parent / "globals/training_plan",
        output / "METRICS/training_plan",
        output.parent / "METRICS/training_plan",
    ]
    _make(*places)
    for place in places:
        assert find_training_plan_dir(output, None) == place
        place.rmdir()
    assert find_training_plan_dir(output, None) is None


def test_results_only_where_no_output_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _make(Path("results/METRICS/training_plan"))
    assert find_training_plan_dir(None, None) == Path("results/METRICS/training_plan")
    assert find_training_plan_dir(tmp_path / "elsewhere", None) is None


def test_the_first_directory_decides_though_it_is_broken(plan: TrainingPlan, tmp_path: Path) -> None:
    _make(tmp_path / "globals/training_plan")
    write_training_plan(plan, tmp_path / "METRICS/training_plan")
    found = find_training_plan_dir(tmp_path, None)
    assert found == tmp_path / "globals/training_plan"
    with pytest.raises(BrokenPlanError):
        load_training_plan(found)


def test_a_given_directory_is_the_only_one(plan: TrainingPlan, tmp_path: Path) -> None:
    write_training_plan(plan, tmp_path / "globals/training_plan")
    _make(tmp_path / "mine")
    assert find_training_plan_dir(tmp_path, tmp_path / "mine") == tmp_path / "mine"
    with pytest.raises(PlanNotFoundError, match="correct --training-plan-dir"):
        find_training_plan_dir(tmp_path, tmp_path / "typo")


def test_every_refusal_has_exit_code_2() -> None:
    assert PlanError.exit_code == BrokenPlanError.exit_code == PlanNotFoundError.exit_code == 2


def test_the_parent_of_an_output_directory_given_with_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path / "run/deeper", tmp_path / "globals/training_plan")
    assert find_training_plan_dir(tmp_path / "run/deeper/..", None) == tmp_path / "globals/training_plan"
    monkeypatch.chdir(tmp_path / "run")
    assert find_training_plan_dir(Path(), None) == tmp_path / "globals/training_plan"


def test_a_plan_is_loaded_by_the_text_of_its_path(plan: TrainingPlan, directory: Path) -> None:
    assert load_training_plan(str(directory)) == plan


def test_a_record_reads_as_a_mapping_in_every_way(plan: TrainingPlan) -> None:
    assert dict(plan.summary.items()) == dict(plan.summary)
    assert plan.values() == (plan.metadata, plan.feature_sets, plan.jobs, plan.summary)

"""Every file of a plan: derived from one, complete, inside the directory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainroute.errors import PlanError
from trainroute.plan import load_training_plan, write_training_plan
from trainroute.plan.markdown import plan_markdown
from trainroute.records import yaml_text
from trainroute.records.artifacts import read_json_artifact
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan

Row = dict[str, Any]


def _files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_every_file_is_there(plan: TrainingPlan, tmp_path: Path) -> None:
    assert write_training_plan(plan, tmp_path / "training_plan") == tmp_path / "training_plan/master_training_plan.json"
    assert _files(tmp_path / "training_plan") == {
        "master_training_plan.json",
        "training_plan.json",
        "training_plan.yaml",
        "training_plan.md",
        "by_target/pooled.json",
        "by_target/own.json",
        "by_target/lane.json",
        "by_symbol/BOTH.json",
        "by_symbol/CS.json",
        "by_symbol/OWN.json",
        "by_symbol/SHORT.json",
        "by_type/cross_sectional.json",
        "by_type/symbol_specific.json",
        "by_route/cross_sectional.json",
        "by_route/symbol_specific.json",
        "by_route/both.json",
        "by_route/experimental_only.json",
    }


def test_master_mirror_and_yaml_are_one(plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (10_000, 0):
        monkeypatch.setattr(yaml_text, "BLOCK_STYLE_LIMIT", limit)
        write_training_plan(plan, tmp_path)
        document = read_json_artifact(tmp_path / "master_training_plan.json")
        assert (tmp_path / "training_plan.json").read_bytes() == (tmp_path / "master_training_plan.json").read_bytes()
        assert yaml.safe_load((tmp_path / "training_plan.yaml").read_bytes()) == document
    assert set(document) == {"metadata", "summary", "feature_sets", "jobs"}


def test_views_hold_the_jobs_of_the_master(plan: TrainingPlan, tmp_path: Path) -> None:
    write_training_plan(plan, tmp_path)
    jobs = read_json_artifact(tmp_path / "master_training_plan.json")["jobs"]

    def ids(view: str) -> list[str]:
        content = read_json_artifact(tmp_path / view)
        assert all(job in jobs for job in content["jobs"])
        assert content["metadata"]["plan_id"] == plan.metadata.plan_id
        assert content["metadata"]["total_jobs"] == len(content["jobs"])
        return [job["job_id"] for job in content["jobs"]]

    assert ids("by_target/pooled.json") == ["cs_pooled", "sym_pooled_BOTH", "sym_pooled_OWN"]
    assert ids("by_symbol/OWN.json") == ["sym_own_OWN", "sym_pooled_OWN"]
    assert ids("by_type/cross_sectional.json") == ["cs_pooled", "cs_lane"]
    assert ids("by_route/both.json") == ["sym_pooled_BOTH"]
    assert ids("by_route/experimental_only.json") == ["cs_lane", "sym_own_CS"]
    served = read_json_artifact(tmp_path / "by_symbol/CS.json")["metadata"]
    assert (served["symbol"], served["served_by"]) == ("CS", ["cs_lane", "cs_pooled"])


def test_all_type_and_route_views_exist_without_jobs(
    rows: list[Row], route: Callable[..., RoutingPlan], plan_of: Callable[..., TrainingPlan], tmp_path: Path
) -> None:
    plan = plan_of(route([row for row in rows if row["target"] == "dead"]))
    write_training_plan(plan, tmp_path)
    views = {path for path in _files(tmp_path) if path.startswith("by_")}
    assert len(views) == 6
    assert all(json.loads((tmp_path / view).read_text())["jobs"] == [] for view in views)
    assert load_training_plan(tmp_path) == plan


def test_views_of_a_former_plan_do_not_stay(
    plan: TrainingPlan,
    rows: list[Row],
    route: Callable[..., RoutingPlan],
    plan_of: Callable[..., TrainingPlan],
    tmp_path: Path,
) -> None:
    write_training_plan(plan, tmp_path / "plan")
    write_training_plan(plan_of(route([row for row in rows if row["target"] == "own"])), tmp_path / "plan")
    assert not (tmp_path / "plan/by_target/pooled.json").exists()
    assert (tmp_path / "plan/by_target/own.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]


def test_formats_can_be_left_out(plan: TrainingPlan, tmp_path: Path) -> None:
    write_training_plan(plan, tmp_path, formats=("JSON",))
    assert not {"training_plan.yaml", "training_plan.md"} & _files(tmp_path)


def test_a_directory_with_other_files_is_not_touched(plan: TrainingPlan, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(PlanError, match=r"holds files that trainroute did not write \(thesis.tex\)"):
        write_training_plan(plan, tmp_path)
    assert _files(tmp_path) == {"thesis.tex"}


def test_the_page_for_people(plan: TrainingPlan, tmp_path: Path) -> None:
    write_training_plan(plan, tmp_path)
    page = (tmp_path / "training_plan.md").read_text()
    assert "6 jobs: 2 pooled, 4 of one symbol; 3 pairs blocked" in page
    assert "| below the score minimum | 2 |" in page
    assert "| 540 | cs_pooled | CROSS_SECTIONAL | LightGBM, XGBoost, Ensemble |" in page


def test_the_page_stays_short(plan: TrainingPlan) -> None:
    many = type(plan)(
        metadata=plan.metadata, feature_sets=plan.feature_sets, jobs=plan.jobs * 5000, summary=plan.summary
    )
    assert plan_markdown(many).count("\n") < 250

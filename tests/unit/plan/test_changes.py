"""What changed since a plan, and what was edited in it: each named, refused, and let through only on request."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from trainroute.config import Config
from trainroute.errors import BrokenPlanError, EditedPlanError, StalePlanError
from trainroute.plan import (
    Severity,
    inputs_beside,
    load_training_plan,
    plan_to_validate,
    problems_beside,
    require_fresh,
    write_training_plan,
)
from trainroute.records.artifacts import HASH_KEY, content_id
from trainroute.records.candidates_io import validate_candidates, write_candidates
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import read_routing_plan, write_routing_plan

Row = dict[str, Any]


@pytest.fixture
def plan_dir(plan: TrainingPlan, routing: RoutingPlan, rows: list[Row], tmp_path: Path) -> Path:
    """The plan in an output directory as a run leaves it."""
    write_training_plan(plan, tmp_path / "globals/training_plan")
    write_routing_plan(routing, tmp_path / "METRICS/routing_plan")
    write_candidates(validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t"), tmp_path / "METRICS")
    return tmp_path / "globals/training_plan"


def _other(**routing: Any) -> Config:
    return Config.model_validate({"routing": routing})


def test_the_keys_of_the_settings_that_changed_are_named(plan: TrainingPlan, plan_dir: Path) -> None:
    weak = Config().routing.symbol.min_score
    config = Config.model_validate(
        {
            "routing": {"symbol": {"min_score": 0.545, "strong_score": 0.57}, "pins": [], "dump_plan_as": ["JSON"]},
            "planning": {"short_symbols_teach_pool": False},
        }
    )
    with pytest.raises(StalePlanError) as caught:
        require_fresh(plan, inputs_beside(plan_dir, config))
    assert f"routing.symbol.min_score was {weak}, is 0.545" in str(caught.value)
    assert "planning.short_symbols_teach_pool was True, is False" in str(caught.value)
    assert "dump_plan_as" not in str(caught.value)
    assert str(caught.value).count(" was ") == 2


def test_settings_that_only_say_how_files_are_written_are_no_change(plan: TrainingPlan, plan_dir: Path) -> None:
    assert require_fresh(plan, inputs_beside(plan_dir, _other(dump_plan_as=["JSON"]))) == []


def test_behind_a_link_too_a_plan_is_compared_with_what_lies_beside_the_link(
    plan: TrainingPlan, plan_dir: Path, rows: list[Row], route: Callable[..., RoutingPlan], tmp_path: Path
) -> None:
    (tmp_path / "deep/place").mkdir(parents=True)
    plan_dir.rename(tmp_path / "deep/place/plan")
    plan_dir.symlink_to(tmp_path / "deep/place/plan")
    assert require_fresh(plan, inputs_beside(plan_dir)) == []
    write_routing_plan(route(rows[:8]), tmp_path / "METRICS/routing_plan")
    with pytest.raises(StalePlanError, match="the routing plan was made again"):
        require_fresh(plan, inputs_beside(plan_dir))


def test_without_a_routing_plan_the_settings_changed_all_the_same(plan: TrainingPlan, plan_dir: Path) -> None:
    (plan_dir.parent.parent / "METRICS/routing_plan/routing_plan.json").unlink()
    with pytest.raises(StalePlanError, match="settings changed \\(config_hash was"):
        require_fresh(plan, inputs_beside(plan_dir, _other(min_minority_events=29)))


def test_a_pin_that_expired_since_makes_a_plan_stale(
    rows: list[Row], route: Callable[..., RoutingPlan], plan_of: Callable[..., TrainingPlan], tmp_path: Path
) -> None:
    pin = {"target": "own", "force": "BLOCKED", "reason": "bad feed", "expires": "2024-12-31"}
    settings = {"routing": {"pins": [pin]}}
    pinned = plan_of(route(rows, generated_at="2024-12-31", **settings), **settings)
    write_training_plan(pinned, tmp_path / "globals/training_plan")
    now = inputs_beside(tmp_path / "globals/training_plan", Config.model_validate(settings))
    with pytest.raises(StalePlanError, match=r"pin 1 \(own: bad feed\) expired on 2024-12-31"):
        require_fresh(pinned, now)


def test_a_pin_that_the_plan_never_had_did_not_expire_on_it(plan: TrainingPlan, plan_dir: Path) -> None:
    pin = {"target": "own", "force": "BLOCKED", "reason": "bad feed", "expires": "2024-12-31"}
    with pytest.raises(StalePlanError, match=r"routing\.pins") as caught:
        require_fresh(plan, inputs_beside(plan_dir, _other(pins=[pin])))
    assert "expired" not in str(caught.value)


def test_a_link_with_nothing_beside_it_is_compared_with_what_lies_beside_the_plan(
    plan: TrainingPlan, plan_dir: Path, rows: list[Row], route: Callable[..., RoutingPlan], tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere/globals/training_plan"
    link.parent.mkdir(parents=True)
    link.symlink_to(plan_dir)
    assert require_fresh(plan, inputs_beside(link)) == []
    write_routing_plan(route(rows[:8]), tmp_path / "METRICS/routing_plan")
    with pytest.raises(StalePlanError, match="the routing plan was made again"):
        require_fresh(plan, inputs_beside(link))


def test_what_is_stale_may_be_ignored_by_name(plan: TrainingPlan, plan_dir: Path) -> None:
    now = inputs_beside(plan_dir, _other(min_minority_events=29))
    (ignored,) = require_fresh(plan, now, allow_stale=True)
    assert ignored.severity is Severity.WARNING
    assert ignored.message.startswith("ignored: the routing or planning settings changed")
    assert "routing.min_minority_events was 30, is 29" in ignored.message


def test_a_plan_without_a_data_fingerprint_says_what_is_not_checked(plan: TrainingPlan, plan_dir: Path) -> None:
    blind = msgspec.structs.replace(plan, metadata=msgspec.structs.replace(plan.metadata, data_fingerprint=None))
    (problem,) = problems_beside(plan_dir, blind)
    assert str(problem).startswith("warning: not checked: data: ")
    assert problems_beside(plan_dir, plan) == []


def test_a_pin_that_means_no_pair_is_a_warning(
    rows: list[Row], route: Callable[..., RoutingPlan], plan_of: Callable[..., TrainingPlan], tmp_path: Path
) -> None:
    pin = {"target": "owen", "force": "BLOCKED", "reason": "typo", "expires": "2124-12-31"}
    settings = {"routing": {"pins": [pin]}}
    routing = route(rows, generated_at="2024-12-31", **settings)
    write_routing_plan(routing, tmp_path / "METRICS/routing_plan")
    write_training_plan(plan_of(routing, **settings), tmp_path / "globals/training_plan")
    found = problems_beside(tmp_path / "globals/training_plan", load_training_plan(tmp_path / "globals/training_plan"))
    assert "warning: pin: pin 1 (owen: typo) means no (target, symbol) of the routing plan" in map(str, found)


def _edit(path: Path, change: Callable[[dict[str, Any]], object], *, rehash: bool) -> None:
    """Change a JSON artifact by hand; ``rehash`` as someone would who knows of the hash."""
    document = json.loads(path.read_text())
    change(document)
    if rehash:
        del document[HASH_KEY]
        document[HASH_KEY] = content_id(document)
    path.write_text(json.dumps(document, indent=1))


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "families": lambda plan: plan["jobs"][1]["model_families"].remove("XGBoost"),
    "priority": lambda plan: plan["jobs"][2].update(priority=999),
    "removed": lambda plan: plan["jobs"].pop(),
    "reason": lambda plan: plan["jobs"][0].update(reason="because"),
    "features": lambda plan: plan["feature_sets"]["fs_y"].update(features=["f1"]),
}


@pytest.mark.parametrize("rehash", [False, True])
@pytest.mark.parametrize("name", EDITS)
def test_an_edited_plan_is_named_and_needs_a_word(
    plan: TrainingPlan, plan_dir: Path, name: str, rehash: bool, caplog: pytest.LogCaptureFixture
) -> None:
    master = plan_dir / "master_training_plan.json"
    _edit(master, EDITS[name], rehash=rehash)
    with pytest.raises(EditedPlanError, match=r"edited.*--allow-edited") as caught:
        load_training_plan(plan_dir)
    assert str(master) in str(caught.value)
    assert caught.value.exit_code == 2
    with caplog.at_level(logging.WARNING, logger="trainroute"):
        read = load_training_plan(plan_dir, allow_edited=True)
    assert "edited" in caplog.text
    assert read.metadata.plan_id != plan.metadata.plan_id
    assert read.metadata.total_jobs == len(read.jobs)
    (problem,) = plan_to_validate(plan_dir)[1]
    assert (problem.severity, problem.kind) == (Severity.ERROR, "edited")
    found = {p.message.split(" ")[0] for p in problems_beside(plan_dir, read)}
    assert found == ({"priority"} if name == "priority" else {"no"} if name == "removed" else set())


def test_what_no_identity_covers_is_covered_by_the_hash(plan_dir: Path) -> None:
    """Of the metadata the plan_id covers nothing; only the hash of the content tells that they were edited."""
    master, routing = (
        plan_dir / "master_training_plan.json",
        plan_dir.parent.parent / "METRICS/routing_plan/routing_plan.json",
    )
    for path, read in ((master, load_training_plan), (routing, read_routing_plan)):
        written = path.read_bytes()
        at = written.index(b'"generated_at":"') + len(b'"generated_at":"')
        path.write_bytes(written[:at] + b"9" + written[at + 1 :])
        with pytest.raises(EditedPlanError, match=r"does not match its content_sha256"):
            read(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-50]),
        lambda path: path.write_text(path.read_text().replace('"priority"', '"priorty"', 1)),
        lambda path: path.write_text(path.read_text().replace('"job_id":"cs_pooled"', '"job_id":"cs_other"')),
        lambda path: path.write_text(path.read_text().replace('"schema_version":1', '"schema_version":7')),
    ],
)
def test_what_is_not_a_plan_is_refused_whatever_is_allowed(plan_dir: Path, spoil: Callable[[Path], object]) -> None:
    spoil(plan_dir / "master_training_plan.json")
    with pytest.raises(BrokenPlanError):
        load_training_plan(plan_dir, allow_edited=True)


@pytest.mark.parametrize("rehash", [False, True])
def test_an_edited_routing_plan_is_named_and_needs_a_word(
    plan: TrainingPlan, routing: RoutingPlan, plan_dir: Path, rehash: bool
) -> None:
    path = plan_dir.parent.parent / "METRICS/routing_plan/routing_plan.json"

    def block(document: dict[str, Any]) -> None:
        document["targets"]["own"]["symbols"]["OWN"]["route"] = "ROUTE_BLOCKED"

    _edit(path, block, rehash=rehash)
    with pytest.raises(EditedPlanError, match="--allow-edited"):
        read_routing_plan(path)
    with pytest.raises(EditedPlanError):
        inputs_beside(plan_dir)
    read = read_routing_plan(path, allow_edited=True)
    assert read.symbol_decision("own", "OWN").route == "ROUTE_BLOCKED"
    assert read.plan_id != routing.plan_id
    kinds = [problem.kind for problem in problems_beside(plan_dir, plan)]
    assert kinds[0] == "edited"
    assert "stale" in kinds

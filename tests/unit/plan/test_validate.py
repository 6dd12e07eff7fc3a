"""Validation names everything that does not fit; staleness goes by content alone."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from trainroute.config.schema import Config
from trainroute.errors import BrokenPlanError, CandidatesError, StalePlanError
from trainroute.plan import (
    PlanInputs,
    Problem,
    Severity,
    inputs_beside,
    problems_beside,
    require_fresh,
    validate_plan,
    write_training_plan,
)
from trainroute.records.candidates_io import TableFormat, validate_candidates, write_candidates
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.routing_io import write_routing_plan

Row = dict[str, Any]
Route = Callable[..., RoutingPlan]


def _messages(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


def _changed(plan: TrainingPlan, number: int, **changes: Any) -> TrainingPlan:
    jobs = list(plan.jobs)
    jobs[number] = msgspec.structs.replace(jobs[number], **changes)
    return msgspec.structs.replace(plan, jobs=tuple(jobs))


def _with_metadata(job: TrainingJob, **changes: Any) -> Any:
    return msgspec.structs.replace(job.metadata, **changes)


def test_a_plan_fits_what_it_was_made_from(plan: TrainingPlan, routing: RoutingPlan) -> None:
    targets, symbols = ["pooled", "own", "lane", "more"], ["BOTH", "CS", "OWN", "SHORT", "LEAK"]
    assert validate_plan(plan, routing=routing, data_targets=targets, data_symbols=symbols) == []


def test_a_job_that_no_decision_asks_for(plan: TrainingPlan, routing: RoutingPlan) -> None:
    extra = msgspec.structs.replace(plan.jobs[1], job_id="sym_dead_CS", target="dead", symbol="CS")
    wrong = msgspec.structs.replace(plan, jobs=(*plan.jobs, extra))
    assert _messages(validate_plan(wrong, routing=routing)) == ["error: routing: no decision asks for job sym_dead_CS"]


def test_a_decision_without_its_job(plan: TrainingPlan, routing: RoutingPlan) -> None:
    for number, name in ((0, "pooled · pooled"), (2, "pooled · BOTH")):
        lacking = msgspec.structs.replace(plan, jobs=plan.jobs[:number] + plan.jobs[number + 1 :])
        assert _messages(validate_plan(lacking, routing=routing)) == [
            f"error: routing: no job for the decision on {name}"
        ]


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (2, {"route": "ROUTE_SYMBOL_SPECIFIC"}, "route is not what was decided in job sym_pooled_BOTH"),
        (2, {"priority": 1}, "priority is not what was decided in job sym_pooled_BOTH"),
        (0, {"symbols": ("BOTH",)}, "symbols are not what was decided in job cs_pooled"),
        (0, {"both_symbols": ()}, "both_symbols are not what was decided in job cs_pooled"),
        (0, {"training_symbols": ("LEAK",)}, "training_symbols are not what was decided in job cs_pooled"),
    ],
)
def test_a_job_that_differs_from_its_decision(
    plan: TrainingPlan, routing: RoutingPlan, number: int, changes: dict[str, Any], message: str
) -> None:
    if "route" not in changes and "priority" not in changes:
        changes = {"metadata": _with_metadata(plan.jobs[number], **changes)}
    elif "route" in changes:
        changes = {"route": plan.jobs[1].route}
    assert _messages(validate_plan(_changed(plan, number, **changes), routing=routing)) == [
        f"error: routing: {message}"
    ]


def test_another_routing_plan(plan: TrainingPlan, rows: list[Row], route: Route) -> None:
    rows[1]["score_shrunk"] = 0.61
    other = route(rows)
    (problem,) = validate_plan(plan, routing=other)
    assert other.plan_id in problem.message
    assert plan.metadata.routing_plan_id in problem.message


def test_names_that_are_not_there(plan: TrainingPlan) -> None:
    wrong = _changed(plan, 1, model_families=("LightGMB",))
    wrong = _changed(wrong, 2, model_families=())
    wrong = _changed(wrong, 3, metadata=_with_metadata(plan.jobs[3], feature_set_id="gone"))
    assert _messages(validate_plan(wrong, data_targets=["own", "pooled"], data_symbols=["BOTH", "CS", "OWN"])) == [
        "error: family: unknown model family 'LightGMB'; did you mean 'LightGBM'?",
        "warning: family: no family that was asked for can train job sym_pooled_BOTH",
        "error: features: the plan has no feature set gone",
        "error: data: the data have no target lane",
        "error: data: the data have no symbol SHORT",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("routing_plan_id", "the routing plan was made again with other decisions"),
        ("metrics_snapshot", "the routing candidates changed"),
        ("config_hash", "the routing or planning settings changed"),
        ("data_fingerprint", "the data changed"),
    ],
)
def test_each_input_that_changed_is_named(plan: TrainingPlan, name: str, said: str) -> None:
    now = PlanInputs(**{name: "other"})
    with pytest.raises(StalePlanError) as caught:
        require_fresh(plan, now)
    assert said in str(caught.value)
    assert "make the plan again" in str(caught.value)
    (problem,) = validate_plan(plan, now=now)
    assert (problem.severity, problem.kind) == (Severity.ERROR, "stale")


def test_what_is_not_known_is_not_compared(plan: TrainingPlan) -> None:
    assert require_fresh(plan, PlanInputs()) == []
    unknown = msgspec.structs.replace(plan, metadata=msgspec.structs.replace(plan.metadata, data_fingerprint=None))
    assert require_fresh(unknown, PlanInputs(data_fingerprint="other")) == []


def test_another_code_version_is_a_warning(plan: TrainingPlan) -> None:
    (problem,) = require_fresh(plan, PlanInputs(code_version="99"))
    assert (problem.severity, problem.kind) == (Severity.WARNING, "code version")


def test_a_legacy_plan_cannot_be_stale(plan: TrainingPlan, routing: RoutingPlan) -> None:
    legacy = msgspec.structs.replace(plan.metadata, schema_version=0, plan_id="", config_hash="")
    read = msgspec.structs.replace(plan, metadata=legacy)
    now = PlanInputs(config_hash="x", routing_plan_id="y", code_version="z")
    assert validate_plan(read, now=now, routing=routing) == []


def _candidates(rows: list[Row], directory: Path) -> Path:
    return write_candidates(validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "t"), directory)


@pytest.fixture
def output(plan: TrainingPlan, routing: RoutingPlan, rows: list[Row], tmp_path: Path) -> Path:
    """An output directory as a run leaves it."""
    write_training_plan(plan, tmp_path / "globals/training_plan")
    write_routing_plan(routing, tmp_path / "METRICS/routing_plan")
    _candidates(rows, tmp_path / "METRICS")
    return tmp_path


def test_the_inputs_beside_a_plan_are_those_it_was_made_from(plan: TrainingPlan, output: Path) -> None:
    now = inputs_beside(output / "globals/training_plan")
    assert (now.routing_plan_id, now.metrics_snapshot) == (
        plan.metadata.routing_plan_id,
        plan.metadata.metrics_snapshot,
    )
    assert require_fresh(plan, now) == []


def test_file_times_say_nothing(plan: TrainingPlan, output: Path) -> None:
    for path in output.rglob("*"):
        os.utime(path, (2e9, 2e9))
    assert require_fresh(plan, inputs_beside(output / "globals/training_plan")) == []


def test_other_candidates_beside_it(plan: TrainingPlan, output: Path, rows: list[Row]) -> None:
    rows[1]["mean_overlap"] = 0.3
    _candidates(rows, output / "METRICS")
    with pytest.raises(StalePlanError, match="the routing candidates changed"):
        require_fresh(plan, inputs_beside(output / "globals/training_plan"))


def test_another_routing_plan_beside_it(plan: TrainingPlan, output: Path, rows: list[Row], route: Route) -> None:
    rows[1]["score_shrunk"] = 0.61
    write_routing_plan(route(rows), output / "METRICS/routing_plan")
    with pytest.raises(StalePlanError, match="the routing plan was made again"):
        require_fresh(plan, inputs_beside(output / "globals/training_plan"))


def test_other_settings(plan: TrainingPlan) -> None:
    config = Config.model_validate({"routing": {"min_minority_events": 29}})
    with pytest.raises(StalePlanError, match="settings changed"):
        require_fresh(plan, PlanInputs(config_hash=config.config_hash))


def test_a_plan_alone_has_nothing_beside_it(plan: TrainingPlan, tmp_path: Path) -> None:
    write_training_plan(plan, tmp_path / "a/b/plan")
    now = inputs_beside(tmp_path / "a/b/plan")
    assert (now.routing_plan_id, now.metrics_snapshot) == (None, None)


def test_broken_inputs_are_errors_not_silence(output: Path) -> None:
    table = output / "METRICS/routing_candidates.parquet"
    data = table.read_bytes()
    table.write_bytes(data[:100])
    with pytest.raises(CandidatesError):
        inputs_beside(output / "globals/training_plan")
    table.write_bytes(data)
    (output / "METRICS/routing_plan/routing_plan.json").write_text("{}")
    with pytest.raises(BrokenPlanError):
        inputs_beside(output / "globals/training_plan")


def test_a_plan_alone_says_what_could_not_be_checked(plan: TrainingPlan, tmp_path: Path) -> None:
    folder = tmp_path / "globals/training_plan"
    write_training_plan(plan, folder)
    (problem,) = problems_beside(folder, plan)
    assert problem.severity is Severity.WARNING
    lacking = "no routing plan and no routing candidates"
    assert problem.message == f"{lacking} under {tmp_path.resolve()} to compare the plan with"


@pytest.mark.parametrize("table_format", ["PARQUET", "CSV"])
def test_candidates_beside_a_plan_are_compared_in_either_format(
    rows: list[Row], routing: RoutingPlan, plan: TrainingPlan, tmp_path: Path, table_format: TableFormat
) -> None:
    folder = tmp_path / "globals/training_plan"
    write_training_plan(plan, folder)
    write_routing_plan(routing, tmp_path / "METRICS/routing_plan")
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "test")
    write_candidates(table, tmp_path / "METRICS", table_format=table_format)
    assert problems_beside(folder, plan) == []
    rows[1]["score_shrunk"] = 0.61
    table = validate_candidates(pl.DataFrame(rows, infer_schema_length=None), "test")
    write_candidates(table, tmp_path / "METRICS", table_format=table_format)
    (problem,) = problems_beside(folder, plan)
    assert "the routing candidates changed" in problem.message


def test_a_symbol_that_only_teaches_is_looked_for_in_the_data_too(plan: TrainingPlan) -> None:
    number = next(n for n, job in enumerate(plan.jobs) if job.symbol is None)
    metadata = _with_metadata(plan.jobs[number], training_symbols=(*plan.jobs[number].metadata.symbols, "GONE"))
    found = validate_plan(_changed(plan, number, metadata=metadata), data_symbols=["BOTH", "CS", "OWN", "SHORT"])
    assert _messages(found) == ["error: data: the data have no symbol GONE"]

"""Two plans on disk against each other: only what was selected, and the budget as a cause."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trainroute import pipeline
from trainroute.errors import UnknownNameError, UsageError
from trainroute.plan import load_training_plan
from trainroute.records.differences import PlansDifference
from trainroute.records.routing_io import read_routing_plan
from trainroute.records.selectors import Selector
from trainroute.stages import TrainingPlanGenerator, diff

Program = Callable[..., Any]
GOOD: dict[str, Any] = {
    "score": 0.56,
    "score_shrunk": 0.56,
    "score_ci_low": 0.53,
    "p_skill": 0.995,
    "sample_size": 9000,
}
GOOD |= {"n_eff": 500.0, "minority_events": 400, "stability": "STABLE", "leakage_status": "SAFE", "task_type": "binary"}
GOOD |= {"cs_score_shrunk": 0.55, "p_cs_skill": 0.9, "p_local_better": 0.5}
SYMBOLS = ("A", "B", "C", "D")


def _output(place: Path, changed: dict[tuple[str, str], dict[str, Any]] | None = None, **options: Any) -> Path:
    """Route two targets of four symbols, all BOTH unless changed."""
    rows = [
        {"target": target, "symbol": symbol, **GOOD, **(changed or {}).get((target, symbol or ""), {})}
        for target in ("y_up_1d", "y_up_5d")
        for symbol in (None, *SYMBOLS)
    ]
    place.mkdir()
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(place / "table.parquet")
    pipeline.route(place / "table.parquet", output_dir=place / "run", **options)
    return place / "run"


LOCAL, POOLED, DEAD = {"p_local_better": 0.9}, {"p_local_better": 0.1}, {"n_eff": 1.0, "p_cs_skill": 0.1}
CHANGES = {("y_up_1d", "A"): LOCAL, ("y_up_1d", "B"): POOLED, ("y_up_5d", "B"): POOLED, ("y_up_5d", "D"): DEAD}


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A plan, and one in which four pairs are routed otherwise: local, pooled, pooled, blocked."""
    place = tmp_path_factory.mktemp("plans")
    return _output(place / "a"), _output(place / "b", CHANGES)


def _found(difference: PlansDifference) -> tuple[set[tuple[str, str]], set[str]]:
    return {(r.target, r.symbol) for r in difference.routes}, {job.job_id for job in difference.jobs}


CS = {"cs_y_up_1d", "cs_y_up_5d"}


@pytest.mark.parametrize(
    ("asked", "pairs", "jobs"),
    [
        ({}, set(CHANGES), {*CS, "sym_y_up_1d_A", "sym_y_up_1d_B", "sym_y_up_5d_B", "sym_y_up_5d_D"}),
        (
            {"targets": ("*_1d",)},
            {("y_up_1d", "A"), ("y_up_1d", "B")},
            {"cs_y_up_1d", "sym_y_up_1d_A", "sym_y_up_1d_B"},
        ),
        ({"symbols": ("A",)}, {("y_up_1d", "A")}, {*CS, "sym_y_up_1d_A"}),
        ({"routes": ("symbol_specific",)}, {("y_up_1d", "A")}, {"sym_y_up_1d_A"}),
        ({"routes": ("BLOCKED",)}, {("y_up_5d", "D")}, set()),
        ({"types": ("CROSS*",)}, set(CHANGES), CS),
        ({"jobs": ("sym_y_up_5d_B",)}, {("y_up_5d", "B")}, {"sym_y_up_5d_B"}),
        ({"min_priority": 500, "targets": ("y_up_5d",)}, {("y_up_5d", "B"), ("y_up_5d", "D")}, {"cs_y_up_5d"}),
        (
            {"families": ("light*",), "symbols": ("B",), "types": ("symbol_specific",)},
            {("y_up_1d", "B"), ("y_up_5d", "B")},
            {"sym_y_up_1d_B", "sym_y_up_5d_B"},
        ),
        ({"symbols": ("C",)}, set(), CS),
    ],
)
def test_only_what_is_selected_is_compared(
    plans: tuple[Path, Path], asked: dict[str, Any], pairs: set[tuple[str, str]], jobs: set[str]
) -> None:
    for before, after in (plans, plans[::-1]):
        found = diff(before, after, limit=None, selector=Selector(**asked))
        assert _found(found) == (pairs, jobs)
        assert found.counts.routes_changed == len(pairs) == sum(found.kinds.values()) == sum(found.transitions.values())
        assert found.counts.jobs_added + found.counts.jobs_removed + found.counts.jobs_changed == len(jobs)
        whole = {(route.target, route.symbol): route for route in diff(before, after, limit=None).routes}
        assert all(whole[route.target, route.symbol] == route for route in found.routes)


def test_what_neither_plan_has_cannot_be_selected(plans: tuple[Path, Path]) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'y_up_1d'"):
        diff(*plans, selector=Selector(targets=("y_up_1",)))
    with pytest.raises(UnknownNameError, match="unknown route 'ROUTE_pooled'"):
        diff(*plans, selector=Selector(routes=("pooled",)))
    routing = tuple(plan / "METRICS/routing_plan" for plan in plans)
    assert _found(diff(*routing, selector=Selector(symbols=("D",)))) == ({("y_up_5d", "D")}, set())
    with pytest.raises(UnknownNameError, match="unknown symbol of these plans 'E'"):
        diff(*routing, selector=Selector(symbols=("E",)))
    with pytest.raises(UsageError, match="routing plans have no jobs"):
        diff(*routing, selector=Selector(types=("cross_sectional",)))


def test_diff_takes_the_selectors_of_train_and_show(plans: tuple[Path, Path], program: Program) -> None:
    asked = ("--targets", "y_up_1d", "--symbols", "[AB]", "--types", "symbol_specific", "--exit-code")
    ended = program("diff", *plans, *asked)
    assert ended.code == 1
    assert ended.out.startswith("jobs: 0 added, 1 removed, 1 changed; routes: 2 changed")
    assert program("diff", *plans, "--symbols", "C", "--types", "symbol_specific", "--exit-code").code == 0
    assert program("diff", *plans, "--symbols", "E").error.startswith("unknown symbol")


def test_a_budget_that_leaves_jobs_out_is_the_cause(plans: tuple[Path, Path], tmp_path: Path, program: Program) -> None:
    limited = _output(tmp_path / "limited", max_jobs=4)
    kept = {job.job_id for job in load_training_plan(limited / "globals/training_plan").jobs}
    found = diff(plans[0], limited, limit=None)
    removed = [job for job in found.jobs if job.change == "removed"]
    assert len(removed) == found.counts.jobs_by_budget == found.counts.jobs_removed == 6
    assert kept.isdisjoint(job.job_id for job in removed)
    assert all(job.why.startswith("budget: left out (place ") for job in removed)
    assert all("--max-jobs 4 is reached" in job.why for job in removed)
    assert [(i.what, i.before, i.after) for i in found.inputs] == [("--max-jobs", "none", "4")]
    assert (found.routes, found.kinds) == ((), {})
    for job in found.jobs:
        if job.change == "changed":
            assert job.why.startswith("budget: ")
            assert "left out" in job.why
    back = diff(limited, plans[0], limit=None)
    assert back.counts.jobs_added == back.counts.jobs_by_budget == 6
    assert all(job.why.startswith("budget: was left out (place ") for job in back.jobs if job.change == "added")
    assert "6 jobs: budget" in program("diff", plans[0], limited).out
    assert "| budget | 6 |" in program("diff", plans[0], limited, "--format", "markdown").out


def test_without_a_budget_none_is_blamed(plans: tuple[Path, Path]) -> None:
    found = diff(*plans, limit=None)
    assert found.counts.jobs_by_budget == 0
    assert not any("budget" in job.why for job in found.jobs)


def test_a_cost_that_leaves_the_pool_out_is_the_cause(plans: tuple[Path, Path], tmp_path: Path) -> None:
    costs = {
        j.job_id: j.metadata.estimated_cost_seconds for j in load_training_plan(plans[0] / "globals/training_plan").jobs
    }
    most = sum(cost for name, cost in costs.items() if name not in CS) / 2
    limited = _output(tmp_path / "cheap", max_cost=most)
    report = load_training_plan(limited / "globals/training_plan").summary.budget
    assert report is not None
    left = {job.job_id for job in report.left_out}
    found = diff(plans[0], limited, limit=None)
    assert {job.job_id for job in found.jobs if job.why.startswith("budget: left out (place")} == left
    assert [i.what for i in found.inputs] == ["--max-cost"]


def test_comparing_imports_nothing_that_trains_or_measures() -> None:
    code = "import sys, trainroute.report.differences, trainroute.stages.comparing; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "trainroute.stages.comparing" in loaded
    assert not {"scipy", "sklearn", "trainroute.train", "trainroute.evaluate"} & set(loaded)


@pytest.mark.parametrize(("grown", "kind"), [(True, "data"), (False, "metric")])
def test_appended_data_are_the_cause_and_an_edited_score_is_not(tmp_path: Path, grown: bool, kind: str) -> None:
    """The plans know the data that they were made from; one pair got worse."""
    outputs = [_output(tmp_path / "a"), _output(tmp_path / "b", {("y_up_1d", "B"): {"score_shrunk": 0.4}})]
    for number, output in enumerate(outputs):
        routing = read_routing_plan(output / "METRICS/routing_plan")
        generator = TrainingPlanGenerator(routing, ["LightGBM"])
        generator.generate_training_plan(
            output / "globals/training_plan", data_fingerprint=f"data {number if grown else 0}"
        )
    found = diff(*outputs)
    assert found.kinds == {kind: 1}
    assert ("data" in {change.what for change in found.inputs}) == grown
    changed = found.routes[0]
    assert (changed.target, changed.symbol) == ("y_up_1d", "B")
    assert {cause.metric for cause in changed.causes} == {"score_shrunk"}


def test_routes_that_cannot_be_compared_are_not_called_the_same(
    plans: tuple[Path, Path], tmp_path: Path, program: Program
) -> None:
    swapped, alone = tmp_path / "swapped", tmp_path / "alone"
    shutil.copytree(plans[0], swapped)
    shutil.rmtree(swapped / "METRICS")
    shutil.copytree(plans[1] / "METRICS", swapped / "METRICS")
    shutil.copytree(plans[0] / "globals", alone / "globals")
    ended = program("diff", plans[0], swapped, "--exit-code")
    assert ended.code == 1
    assert ended.out.startswith("jobs: 0 added, 0 removed, 0 changed; routes: not compared\n")
    assert "not the one that the jobs were made from, so routes are not compared; plan again with" in ended.out
    assert not diff(swapped, swapped).same
    ended = program("diff", plans[0], alone, "--exit-code")
    assert ended.code == 0
    assert ended.out.startswith("no difference: the same jobs\nnote: ")
    master = alone / "globals/training_plan/master_training_plan.json"
    assert diff(plans[0] / "METRICS/routing_plan", plans[0]).compared == ("routes",)
    with pytest.raises(UsageError, match="give two training plans or two routing plans"):
        diff(plans[0] / "METRICS/routing_plan", master)


def test_pins_are_named_once_each(plans: tuple[Path, Path], tmp_path: Path, program: Program) -> None:
    pins = [
        {"target": "y_up_1d", "symbol": name, "force": "BLOCKED", "reason": f"r{name}", "expires": "2099-01-31"}
        for name in SYMBOLS
    ]
    pinned = _output(tmp_path / "pinned", config={"routing": {"pins": pins}})
    found = diff(plans[0], pinned, limit=None)
    assert {(i.what, i.before, i.after) for i in found.inputs} == {
        (f"routing.pins[y_up_1d · {name}: r{name}]", "none", "force BLOCKED until 2099-01-31") for name in SYMBOLS
    }
    assert {route.symbol: [cause.key for cause in route.causes] for route in found.routes} == {
        name: [f"routing.pins[y_up_1d · {name}: r{name}]"] for name in SYMBOLS
    }
    text = program("diff", plans[0], pinned).out
    assert "  4 config" in text
    assert all(len(line) < 250 for line in text.splitlines())


def test_a_section_without_rows_is_left_out_of_the_page(
    plans: tuple[Path, Path], tmp_path: Path, program: Program
) -> None:
    fewer = _output(tmp_path / "fewer", families=["LightGBM"])
    page = program("diff", plans[0], fewer, "--format", "markdown").out
    assert "| families |" in page
    assert "| because of |" not in page
    assert "none" not in page.splitlines()

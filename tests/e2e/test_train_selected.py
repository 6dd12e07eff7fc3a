"""`train` by selection, by a stale plan and by an edited one: only what was asked for, and only when it was."""

import json

import pytest

from trainroute.plan import load_training_plan

pytestmark = pytest.mark.slow


def _trained(copied) -> set[str]:
    report = json.loads((copied.results / "globals/training_report.json").read_text())
    return {row["job_id"] for row in report["results"] if row["state"] == "done"}


def test_one_job_runs_by_its_id_and_into_its_own_place(copied, program) -> None:
    job = load_training_plan(copied.plan).jobs[-1]
    ended = program(
        *("train", "--data-dir", "data", "--job", job.job_id, "--families", "LightGBM"),
        *("--training-plan-dir", "results/globals/training_plan", "--output-dir", "jobs/one"),
    )
    assert ended.code == 0, ended.err
    report = json.loads((copied.path / "jobs/one/globals/training_report.json").read_text())
    assert {row["job_id"] for row in report["results"]} == {job.job_id}
    assert sorted(path.name for path in (copied.path / "jobs/one/models").iterdir()) == [job.job_id]


def test_an_unknown_id_is_a_usage_error_that_suggests_the_nearest(copied, program) -> None:
    name = load_training_plan(copied.plan).jobs[0].job_id
    ended = program("train", "--data-dir", "data", "--job", name[:-1])
    assert ended.code == 2
    assert f"did you mean '{name}'" in ended.error


def test_a_stale_plan_trains_only_on_request_and_says_what_it_ignores(copied, program) -> None:
    copied.settings.write_text("routing: {min_minority_events: 31}")
    job = load_training_plan(copied.plan).jobs[-1].job_id
    refused = program("train", "--data-dir", "data", "--job", job)
    assert refused.code == 2
    assert "routing.min_minority_events was 30, is 31" in refused.error
    ended = program("train", "--data-dir", "data", "--job", job, "--families", "LightGBM", "--allow-stale")
    assert ended.code == 0, ended.err
    assert "ignored: the routing or planning settings changed" in ended.err
    assert _trained(copied) == {job}


def test_an_edited_plan_trains_only_on_request_under_another_identity(copied, program) -> None:
    before = load_training_plan(copied.plan).metadata.plan_id
    master = copied.plan / "master_training_plan.json"
    document = json.loads(master.read_text())
    document["jobs"] = [{**document["jobs"][-1], "model_families": ["LightGBM"]}]
    master.write_text(json.dumps(document))
    refused = program("train", "--data-dir", "data")
    assert refused.code == 2
    assert "edited" in refused.error
    assert program("show").code == 2
    checked = program("validate", "--data-dir", "data")
    assert checked.code == 1
    assert "error: edited: " in checked.out
    assert "error: routing: no job for the decision on" in checked.out
    assert program("show", "--allow-edited").code == 0
    ended = program("train", "--data-dir", "data", "--allow-edited")
    assert ended.code == 0, ended.err
    report = json.loads((copied.results / "globals/training_report.json").read_text())
    assert report["plan_id"] != before
    assert _trained(copied) == {document["jobs"][0]["job_id"]}


def test_a_budget_is_planned_shown_and_valid(copied, program) -> None:
    table = "results/METRICS/routing_candidates.parquet"
    ended = program("route", table, "--output-dir", "small", "--families", "LightGBM", "--max-jobs", "1")
    assert ended.code == 0, ended.err
    plan = load_training_plan(copied.path / "small/globals/training_plan")
    assert len(plan.jobs) == 1
    assert plan.summary.budget is not None
    assert plan.summary.budget.left_out
    shown = program("show", "--output-dir", "small")
    assert f"budget: 1 of {plan.summary.budget.jobs_asked} jobs" in shown.out
    assert plan.summary.budget.left_out[0].job_id in shown.out
    assert program("validate", "--output-dir", "small").code == 0
    by_ledger = ("--max-cost", "1000000", "--cost-from-ledger")
    assert program("route", table, "--output-dir", "results", "--families", "LightGBM", *by_ledger).code == 0
    budget = load_training_plan(copied.plan).summary.budget
    assert budget is not None
    assert (budget.cost_source, budget.left_out) == ("ledger", ())


def test_the_same_selectors_show_jobs(copied, program) -> None:
    plan = load_training_plan(copied.plan)
    shown = program("show", "--types", "symbol_*", "--min-priority", "1")
    expected = [job.job_id for job in plan.jobs if job.symbol is not None]
    assert f"{len(expected)} of {len(plan.jobs)} jobs are selected" in shown.out


def test_families_may_be_a_glob(copied, program) -> None:
    job = load_training_plan(copied.plan).jobs[-1].job_id
    ended = program("train", "--data-dir", "data", "--job", job, "--families", "light*")
    assert ended.code == 0, ended.err
    report = json.loads((copied.results / "globals/training_report.json").read_text())
    assert {row["family"] for row in report["results"] if row["state"] == "done"} == {"LightGBM"}
    refused = program("train", "--data-dir", "data", "--families", "zz*")
    assert refused.code == 2
    assert "unknown model family 'zz*'" in refused.error


def test_an_expired_pin_is_an_error_before_any_work(copied, program) -> None:
    pin = "{target: '*', force: BLOCKED, reason: old, expires: 2020-01-31}"
    copied.settings.write_text(f"routing: {{pins: [{pin}]}}")
    ended = program("run", "--data-dir", "nowhere")
    assert ended.code == 2
    assert "pin 1 (*: old) expired on 2020-01-31" in ended.error

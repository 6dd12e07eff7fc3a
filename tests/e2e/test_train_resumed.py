"""`train --resume` on the command line: what is done is kept, what is broken is trained again, what differs named."""

import json

import pytest

pytestmark = pytest.mark.slow


def _report(copied) -> dict:
    return json.loads((copied.results / "globals/training_report.json").read_text())


def test_what_is_done_is_kept_and_what_is_broken_is_trained_again(copied, program) -> None:
    train = ("train", "--data-dir", "data", "--families", "LightGBM", "--resume")
    first = program(*train)
    assert first.code == 0, first.err
    n_models = _report(copied)["executed"]
    assert n_models > 1
    second = program(*train)
    assert second.code == 0, second.err
    assert f"0 of {n_models} job × family trained, {n_models} kept from an earlier run" in second.out
    model = next((copied.results / "models").glob("*/LightGBM/model.txt"))
    good = model.read_bytes()
    model.write_bytes(good[:-40])
    third = program(*train)
    assert f"1 of {n_models} job × family trained, {n_models - 1} kept" in third.out
    assert "model.txt: missing, or not the file that training wrote" in third.err
    assert model.read_bytes() == good
    copied.settings.write_text(copied.settings.read_text().replace("rounds: 20,", "rounds: 21,"))
    fourth = program(*train)
    assert fourth.code == 0, fourth.err
    assert "hyperparameters changed since it was trained" in fourth.err
    assert _report(copied)["resumed"] == 0


def test_single_jobs_share_a_directory_and_its_report(copied, program) -> None:
    master = json.loads((copied.plan / "master_training_plan.json").read_text())
    jobs = [job["job_id"] for job in master["jobs"] if "LightGBM" in job["model_families"]][:2]
    for job in jobs:
        ended = program("train", "--data-dir", "data", "--job", job, "--families", "LightGBM", "--resume")
        assert ended.code == 0, ended.err
        assert "1 of 1 job × family trained" in ended.out
    assert {row["job_id"] for row in _report(copied)["results"] if row["state"] == "done"} == set(jobs)

"""Families that raise, hang, eat memory and die, in real worker processes: all others are trained, each is named."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "train_failures"
SETTINGS = {"workers": 2, "attempts": 1, "memory_limit_mb": 400, "time_limit_minutes": 1.0}
WAIT_SECONDS = 60.0

pytestmark = pytest.mark.slow


def _command(
    output: Path, names: str, script: str = "driver.py", asked: dict[str, Any] | None = None, **settings: Any
) -> list[str]:
    given = json.dumps({**SETTINGS, **settings}), json.dumps(asked or {})
    return [sys.executable, str(HERE / script) if script != "-" else "-", str(output), names, *given]


def _run(output: Path, names: str, **given: Any) -> "subprocess.CompletedProcess[bytes]":
    marks = output.parent if output.name == "results" else output
    return subprocess.run(
        _command(output, names, **given), env=_environment(marks), capture_output=True, check=False, timeout=120
    )


def _environment(marks: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE), "GUEST_MARKS": str(marks)}


def _results(stdout: bytes) -> dict[str, dict[str, Any]]:
    return {f"{row['symbol']} {row['family']}": row for row in json.loads(stdout)}


def _details(output: Path, row: dict[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = json.loads((output / row["artifact"] / "manifest.json").read_text())["details"]
    return details


def _ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _states(output: Path) -> dict[tuple[str, str], tuple[str, str | None]]:
    path = output / "globals/training_ledger.sqlite"
    if not path.exists():
        return {}
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT symbol, family, state, reason FROM results").fetchall()
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()
    return {(symbol, family): (state, reason) for symbol, family, state, reason in rows}


def test_every_way_to_fail_is_named_and_all_others_are_trained(tmp_path: Path) -> None:
    names = "Fine,Prints,Raises,Hangs,Hungry,Killed,Exits,Flaky"
    own = {"Hangs": {"time_limit_minutes": 0.02}, "Flaky": {"attempts": 3}, "Raises": {"attempts": 2}}
    run = _run(tmp_path / "results", f"{names},LacksLibrary", families=own)
    assert run.returncode == 1, run.stderr.decode()
    found = _results(run.stdout)
    done = {name for name, row in found.items() if row["state"] == "done"}
    assert done == {"A Fine", "B Fine", "C Fine", "A Prints", "A Flaky"}
    assert all(found[name]["score"] == 1.0 for name in done)

    assert found["A Raises"]["reason"] == "ValueError: something went wrong"
    assert found["A Hangs"]["reason"].startswith("stopped: still running after 1.2 s, the limit")
    assert "the limit is 400 MB (memory_limit_mb)" in found["A Hungry"]["reason"]
    assert found["A Hungry"]["peak_memory_bytes"] > 400 << 20
    assert "was killed by signal 9 (Killed)" in found["A Killed"]["reason"]
    assert "ended with exit code 3; it said: fatal: the licence has expired" in found["A Exits"]["reason"]
    assert {name: row["attempts"] for name, row in found.items()} == {
        **dict.fromkeys(found, 1),
        "A Flaky": 2,
        "A Raises": 2,
    }
    log = run.stderr.decode()
    assert "sym_y_up_A × Killed: failed: its worker process was killed" in log
    assert "Traceback" not in log
    assert "No module named 'a_library_that_nobody_has'" in found["A LacksLibrary"]["reason"]
    assert {name.removeprefix("A "): row["failure"] for name, row in found.items() if row["failure"]} == {
        "Raises": "error",
        "Hangs": "time_limit",
        "Hungry": "memory_limit",
        "Killed": "died",
        "Exits": "died",
        "LacksLibrary": "missing_library",
    }
    report = json.loads((tmp_path / "results/globals/training_report.json").read_text())
    assert {kind: found["pairs"] for kind, found in report["failures"].items()} == {
        "error": 1,
        "time_limit": 1,
        "memory_limit": 1,
        "died": 2,
        "missing_library": 1,
    }
    assert "time_limit_minutes" in report["failures"]["time_limit"]["advice"]
    text = (tmp_path / "results/globals/training_report.md").read_text()
    assert all(f"sym_y_up_A × {name}: failed" in text for name in ("Raises", "Hangs", "Hungry", "Killed")), text
    children = [int(mark.name.removeprefix("child_")) for mark in tmp_path.glob("child_*")]
    assert children, "the one that eats memory always comes to start its child"
    _until(lambda: all(_ended(child) for child in children), "the children of families that were stopped have ended")


def test_a_family_that_ends_the_program_fails_by_name_and_its_worker_lives_on(tmp_path: Path) -> None:
    names = "Quits,Interrupts,Closes,Wordless,Unspeakable"
    run = _run(tmp_path, f"Fine,{names}", workers=1)
    assert run.returncode == 1, run.stderr.decode()
    found = _results(run.stdout)
    assert {name: found[f"A {name}"]["reason"] for name in names.split(",")} == {
        "Quits": "SystemExit: bye",
        "Interrupts": "KeyboardInterrupt",
        "Closes": "GeneratorExit",
        "Wordless": "WordlessError: its message cannot be had (ValueError)",
        "Unspeakable": "ValueError: no file ?t?.csv",
    }
    assert {found[f"A {name}"]["failure"] for name in names.split(",")} == {"error"}
    assert len({_details(tmp_path, found[f"{symbol} Fine"])["process"] for symbol in "ABC"}) == 1


def test_a_real_interrupt_still_ends_a_worker(tmp_path: Path) -> None:
    run = _run(tmp_path, "Signalled", workers=1)
    row = _results(run.stdout)["A Signalled"]
    assert row["failure"] == "died"
    assert "was killed by signal 2 (Interrupt)" in row["reason"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NamesManifest", "its model names the file 'manifest.json'; expected a plain name other than manifest.json"),
        ("Escapes", "its model names the file '../../../../escaped.txt'; expected a plain name"),
        ("SavesNothing", "saving its model left no file; expected exactly the files model.json; correct 'save'"),
        ("SavesMore", "saving its model left model.json, notes.txt; expected exactly the files model.json"),
        ("LoadsAnother", "its saved model predicts otherwise than the fitted one; correct 'save' or 'load'"),
        ("CannotLoad", "its saved model cannot be used (KeyError: 'weights'); correct 'load'"),
    ],
)
def test_a_model_that_cannot_be_used_is_not_done(odd_models: tuple[Path, dict[str, Any]], name: str, said: str) -> None:
    output, found = odd_models
    row = found[f"A {name}"]
    assert (row["state"], row["failure"], row["artifact"]) == ("failed", "error", None)
    assert row["reason"].startswith(f"{name}: {said}")
    assert not (output / f"models/sym_y_up_A/{name}").exists()
    assert not list(output.parent.rglob("escaped.txt"))


def test_predictions_that_are_no_numbers_are_not_blamed_on_the_rows(odd_models: tuple[Path, dict[str, Any]]) -> None:
    row = odd_models[1]["A NoNumbers"]
    assert row["failure"] == "error"
    assert re.fullmatch(
        r"the fitted model predicts NaN or infinity on \d+ of \d+ holdout rows; bring .* defaults", row["reason"]
    )


@pytest.fixture(scope="module")
def odd_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("odd") / "a/b/results"
    names = "NamesManifest,Escapes,SavesNothing,SavesMore,LoadsAnother,CannotLoad,NoNumbers"
    run = _run(output, names, workers=1)
    assert run.returncode == 1, run.stderr.decode()
    return output, _results(run.stdout)


@pytest.mark.parametrize("blocked", ["models", "models/sym_y_up_A", "models/sym_y_up_A/Fine", "foreign folder"])
def test_what_is_in_the_way_of_a_model_is_not_blamed_on_the_rows(tmp_path: Path, blocked: str) -> None:
    output = tmp_path / "results"
    way = output / (f"models/sym_y_up_A/Fine/{blocked}" if blocked == "foreign folder" else blocked)
    way.parent.mkdir(parents=True)
    way.write_text("mine")
    run = _run(output, "Fine", workers=1, attempts=2)
    assert run.returncode == 1, run.stderr.decode()
    row = _results(run.stdout)["A Fine"]
    assert (row["failure"], row["attempts"]) == ("unwritable", 1)
    assert row["reason"].startswith("the model cannot be written: ")
    assert way.read_text() == "mine"
    report = json.loads((output / "globals/training_report.json").read_text())
    assert report["failures"]["unwritable"]["advice"].startswith("clear the place that the reason names")


def test_the_stages_have_workers_of_their_own_with_their_own_limits(tmp_path: Path) -> None:
    run = subprocess.run(
        _command(tmp_path, "Fine,FineOnGpu", workers=1, threads_per_worker=1, families={"Fine": {"threads": 1}}),
        env={**_environment(tmp_path), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        check=True,
    )
    found = _results(run.stdout)
    cpu, gpu = (_details(tmp_path, found[name]) for name in ("A Fine", "A FineOnGpu"))
    assert cpu["process"] != gpu["process"]
    assert (cpu["omp"], cpu["threads"], cpu["cuda"]) == ("1", 1, "")
    assert (gpu["omp"], gpu["threads"], gpu["cuda"]) == ("1", 1, ""), "without a GPU it is a CPU stage like the first"
    assert max(_details(tmp_path, found[f"{symbol} Fine"])["finished"] for symbol in "ABC") < gpu["finished"]
    log = run.stderr.decode()
    assert "Stage 1 (CPU): 3 models of 3 jobs (Fine) on 1 worker\n" in log
    assert "Stage 2 (GPU): 1 model of 1 job (FineOnGpu) on 1 worker\n" in log
    assert log.count("no GPU; on the CPU") == 1


def test_no_cpu_worker_loads_a_gpu_library_and_no_gpu_worker_serves_two(tmp_path: Path) -> None:
    run = _run(tmp_path, "Fine,Prints,WithTorch,FineOnGpu,WithKeras", workers=1)
    assert run.returncode == 0, run.stderr.decode()
    found = {name: _details(tmp_path, row) for name, row in _results(run.stdout).items()}
    assert {found[name]["loaded"] for name in ("A Fine", "A Prints", "B Fine", "C Fine")} == {""}
    assert (found["A WithTorch"]["loaded"], found["A WithKeras"]["loaded"]) == ("torch", "keras")
    processes = {found[f"A {name}"]["process"] for name in ("Fine", "WithTorch", "WithKeras", "FineOnGpu")}
    assert len(processes) == 4


def test_each_gpu_has_workers_of_its_own(tmp_path: Path) -> None:
    environment = {**_environment(tmp_path), "CUDA_VISIBLE_DEVICES": "3,GPU-5e1f"}
    names = "FineOnGpu,WithTorch,WithKeras"
    run = subprocess.run(_command(tmp_path, names), env=environment, capture_output=True, check=True, timeout=120)
    found = {name: _details(tmp_path, row) for name, row in _results(run.stdout).items()}
    assert {found[f"A {name}"]["cuda"] for name in names.split(",")} <= {"3", "GPU-5e1f"}
    assert found["B Fine"]["cuda"] == "", "a CPU worker sees no GPU"
    log = run.stderr.decode()
    assert "Stage 2 (GPU): 2 GPUs\n" in log
    assert log.count("the PyTorch installed cannot use the GPU; on the CPU") == 1


def test_the_longest_of_a_priority_runs_first(tmp_path: Path) -> None:
    run = _run(tmp_path, "Fine,Prints,Slow", workers=1)
    found = {name: _details(tmp_path, row)["finished"] for name, row in _results(run.stdout).items()}
    assert sorted(found, key=lambda name: found[name]) == ["A Slow", "A Fine", "A Prints", "C Fine", "B Fine"]


def test_fits_wait_until_their_memory_limits_fit_together(tmp_path: Path) -> None:
    run = _run(tmp_path, "Slow", workers=2, memory_mb=600, families={"Fine": {"memory_limit_mb": 5000}})
    found = {name: _details(tmp_path, row)["process"] for name, row in _results(run.stdout).items()}
    assert len(set(found.values())) == 1, "one that fits beside none, then two that never fit, each alone"
    assert "Fits wait for memory: their limits may add up to 600 MB" in run.stderr.decode()
    beside = _run(tmp_path / "results", "Slow", workers=2, memory_mb=800)
    found = {name: _details(tmp_path / "results", row)["process"] for name, row in _results(beside.stdout).items()}
    assert len(set(found.values())) == 2


def test_resources_follow_the_priority_of_the_job(tmp_path: Path) -> None:
    own = {"Fine": {"from_priority": {15: {"threads": 2}, 25: {"memory_limit_mb": 300}}}}
    run = _run(tmp_path, "Fine", families=own)
    found = {name: _details(tmp_path, row)["threads"] for name, row in _results(run.stdout).items()}
    assert found == {"A Fine": 1, "C Fine": 2, "B Fine": 1}


def test_a_failure_may_stop_the_run(tmp_path: Path) -> None:
    run = _run(tmp_path, "Raises,Fine", workers=1, families={"Raises": {"on_failure": "stop"}})
    assert run.returncode == 1
    found = _results(run.stdout)
    assert {name: row["state"] for name, row in found.items()} == {
        "A Fine": "done",
        "A Raises": "failed",
        "B Fine": "pending",
        "C Fine": "pending",
    }
    assert found["C Fine"]["reason"] == "not run: sym_y_up_A × Raises failed, and on_failure of Raises is stop"
    report = json.loads((tmp_path / "globals/training_report.json").read_text())
    assert report["families"]["Fine"]["not_run"] == 2
    assert report["stopped"] is not None
    again = _results(_run(tmp_path, "Raises,Fine", asked={"resume": True}).stdout)
    assert {name for name, row in again.items() if row["resumed"]} == {"A Fine"}
    assert again["B Fine"]["state"] == "done"


def test_a_limit_is_tried_again_only_where_that_is_asked_for(tmp_path: Path) -> None:
    limit = {"attempts": 2, "time_limit_minutes": 0.01}
    run = _run(tmp_path, "Hangs", families={"Hangs": limit})
    assert _results(run.stdout)["A Hangs"]["attempts"] == 1
    run = _run(tmp_path, "Hangs", families={"Hangs": {**limit, "retry_on": ["time_limit"]}})
    assert _results(run.stdout)["A Hangs"]["attempts"] == 2


def test_a_full_disk_ends_the_run_with_one_line_and_the_ledger_in_order(tmp_path: Path) -> None:
    run = _run(tmp_path, "Fine,FullDisk,Slow", workers=1)
    assert run.returncode == 1
    assert run.stdout == b""
    last = run.stderr.decode().splitlines()[-1]
    assert last.startswith("error: ")
    assert last.endswith("cannot be written: File too large; free some space, then go on with --resume")
    states = _states(tmp_path)
    assert states[("A", "Slow")] == ("done", None), "the longest came first"
    assert states[("A", "FullDisk")][0] == "failed"
    assert {states[("B", "Fine")][0], states[("C", "Fine")][0]} == {"pending"}
    assert not list((tmp_path / "globals").glob(".training_store*"))
    assert not list((tmp_path / "models").glob("*/.*")), "nothing half-written is left"
    again = _results(_run(tmp_path, "Fine,Slow", asked={"resume": True}).stdout)
    assert {row["state"] for row in again.values()} == {"done"}


def test_jobs_run_by_priority_in_one_reused_worker_also_from_standard_input(tmp_path: Path) -> None:
    run = subprocess.run(
        _command(tmp_path, "Fine", script="-", workers=1),
        env=_environment(tmp_path),
        input=(HERE / "driver.py").read_bytes(),
        capture_output=True,
        check=True,
    )
    found = {name: _details(tmp_path, row) for name, row in _results(run.stdout).items()}
    assert sorted(found, key=lambda name: found[name]["finished"]) == ["A Fine", "C Fine", "B Fine"]
    assert len({details["process"] for details in found.values()}) == 1


def test_memory_that_one_job_keeps_is_not_held_against_the_next(tmp_path: Path) -> None:
    run = subprocess.run(
        _command(tmp_path, "Keeps", workers=1), env=_environment(tmp_path), capture_output=True, check=True
    )
    found = {name: _details(tmp_path, row)["process"] for name, row in _results(run.stdout).items()}
    assert found["A Keeps"] != found["C Fine"] == found["B Fine"]


def test_one_interrupt_finishes_what_runs_and_stops(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command(tmp_path, "Fine,Slow", workers=1), env=_environment(tmp_path), stdout=-1, stderr=-1
    ) as run:
        _until(lambda: any(tmp_path.glob("slow_*")), "the slow one runs")
        run.send_signal(signal.SIGINT)
        _, log = run.communicate(timeout=WAIT_SECONDS)
    assert run.returncode in (-signal.SIGINT, 130)
    assert "Stopping: interrupted; what runs is finished first; Ctrl-C again stops at once" in log.decode()
    states = _states(tmp_path)
    assert states[("A", "Slow")] == ("done", None)
    assert states[("A", "Fine")] == states[("B", "Fine")] == ("pending", "not run: interrupted")
    report = json.loads((tmp_path / "globals/training_report.json").read_text())
    assert (report["executed"], report["stopped"]) == (1, "interrupted")


def test_a_second_interrupt_stops_at_once_and_keeps_what_is_done(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command(tmp_path, "Fine,Hangs", workers=1), env=_environment(tmp_path), stdout=-1, stderr=-1
    ) as run:
        _until(lambda: _states(tmp_path).get(("A", "Hangs"), ("",))[0] == "running", "the family hangs")
        _until(lambda: any(tmp_path.glob("child_*")), "it has started its child")
        workers = _children(run.pid)
        run.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, log = run.communicate(timeout=WAIT_SECONDS)
    assert run.returncode in (-signal.SIGINT, 130)
    assert log.decode().rstrip().endswith("KeyboardInterrupt")
    assert workers
    _until(lambda: all(_ended(worker) for worker in workers), "the workers have ended")
    assert _ended(int(next(tmp_path.glob("child_*")).name.removeprefix("child_")))
    states = _states(tmp_path)
    assert states[("A", "Fine")] == ("done", None)
    assert states[("A", "Hangs")] == ("pending", "interrupted")
    assert states[("B", "Fine")][0] == "pending"
    assert not list((tmp_path / "globals").glob(".training_store*"))


def test_a_terminated_run_stops_at_once_and_leaves_everything_in_order(tmp_path: Path) -> None:
    command = _command(tmp_path, "Fine,Hangs", asked={"terminate_in_order": True}, workers=1)
    with subprocess.Popen(command, env=_environment(tmp_path), stdout=-1, stderr=-1) as run:
        _until(lambda: any(tmp_path.glob("child_*")), "the family hangs")
        workers = _children(run.pid)
        run.terminate()
        run.communicate(timeout=WAIT_SECONDS)
    assert run.returncode == 143
    _until(lambda: all(_ended(worker) for worker in workers), "the workers have ended")
    assert _states(tmp_path)[("A", "Hangs")] == ("pending", "interrupted")
    assert not list((tmp_path / "globals").glob(".training_store*"))
    assert _run(tmp_path, "Fine").returncode == 0


def test_two_runs_on_one_directory_are_refused_and_a_killed_one_is_not_in_the_way(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command(tmp_path, "Hangs", workers=1), env=_environment(tmp_path), stdout=-1, stderr=-1
    ) as run:
        _until(lambda: any(tmp_path.glob("child_*")), "the family hangs")
        for asked in ({}, {"jobs": ["sym_y_up_B"]}):
            second = _run(tmp_path, "Fine", asked=asked)
            assert second.returncode == 1
            assert second.stderr.decode().splitlines()[-1] == (
                f"error: {tmp_path}: process {run.pid} on {socket.gethostname()} trains into it; "
                "wait for its end, stop it, or give another --output-dir"
            )
        assert _states(tmp_path)[("A", "Hangs")][0] == "running", "the refused ones have changed nothing"
        run.kill()
        run.communicate(timeout=WAIT_SECONDS)
    after = _run(tmp_path, "Fine")
    assert after.returncode == 0
    assert "1 of the ledger's models were being trained when an earlier run was killed" in after.stderr.decode()


def test_eight_processes_train_their_jobs_into_one_directory_at_once(tmp_path: Path) -> None:
    ids = [f"sym_y_up_{symbol}" for symbol in "ABC"]
    asked = [{"jobs": [job_id]} for job_id in ids] * 3
    runs = [
        subprocess.Popen(
            _command(tmp_path, "Fine", asked=one, workers=1), env=_environment(tmp_path), stdout=-1, stderr=-1
        )
        for one in asked[:8]
    ]
    ended = [(run.communicate(timeout=120), run.returncode) for run in runs]
    for (_, log), code in ended:
        last = log.decode().splitlines()[-1]
        assert code == 0 or "trains sym_y_up_" in last, log.decode()
        assert "Traceback" not in log.decode()
    done = [json.loads(out)[0]["job_id"] for (out, _), code in ended if code == 0]
    assert set(done) == set(ids), "of those that want the same job at once, one at least trains it"
    assert {state for state, _ in _states(tmp_path).values()} == {"done"}
    report = json.loads((tmp_path / "globals/training_report.json").read_text())
    assert {row["job_id"] for row in report["results"]} == set(ids), "the report is of all that the ledger has"
    connection = sqlite3.connect(tmp_path / "globals/training_ledger.sqlite")
    assert connection.execute("SELECT count(*) FROM holders").fetchone() == (0,)
    connection.close()


def test_a_killed_run_leaves_no_worker_and_the_next_run_clears_up(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command(tmp_path, "Hangs", workers=1), env=_environment(tmp_path), stdout=-1, stderr=-1
    ) as run:
        _until(lambda: any(tmp_path.glob("child_*")), "the family hangs")
        workers = _children(run.pid)
        run.kill()
        run.communicate(timeout=WAIT_SECONDS)
    assert workers
    _until(lambda: all(_ended(worker) for worker in workers), "the workers have noticed")
    child = int(next(tmp_path.glob("child_*")).name.removeprefix("child_"))
    _until(lambda: _ended(child), "what the worker had started has ended")
    assert list((tmp_path / "globals").glob(".training_store*"))
    assert _states(tmp_path)[("A", "Hangs")][0] == "running"
    subprocess.run(_command(tmp_path, "Fine"), env=_environment(tmp_path), capture_output=True, check=True)
    assert not list((tmp_path / "globals").glob(".training_store*"))
    assert _states(tmp_path)[("A", "Fine")] == ("done", None)

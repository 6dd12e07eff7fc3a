"""Families that raise, hang, eat memory and die, in real worker processes: all others are trained, each is named."""

import json
import os
import signal
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
CORES = len(os.sched_getaffinity(0))

pytestmark = pytest.mark.slow


def _command(output: Path, names: str, script: str = "driver.py", **settings: Any) -> list[str]:
    given = json.dumps({**SETTINGS, **settings})
    return [sys.executable, str(HERE / script) if script != "-" else "-", str(output), names, given]


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
    run = subprocess.run(
        _command(tmp_path / "results", names, families=own),
        env=_environment(tmp_path),
        capture_output=True,
        check=False,
        timeout=120,
    )
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
    children = [int(mark.name.removeprefix("child_")) for mark in tmp_path.glob("child_*")]
    assert children, "the one that eats memory always comes to start its child"
    _until(lambda: all(_ended(child) for child in children), "the children of families that were stopped have ended")


def test_the_stages_have_workers_of_their_own_with_their_own_limits(tmp_path: Path) -> None:
    run = subprocess.run(
        _command(tmp_path, "Fine,FineOnGpu", workers=1, threads_per_worker=1, families={"Fine": {"threads": 1}}),
        env=_environment(tmp_path),
        capture_output=True,
        check=True,
    )
    found = _results(run.stdout)
    cpu, gpu = (_details(tmp_path, found[name]) for name in ("A Fine", "A FineOnGpu"))
    assert cpu["process"] != gpu["process"]
    assert (cpu["omp"], cpu["threads"], cpu["cuda"]) == ("1", 1, "")
    assert (gpu["omp"], gpu["threads"], gpu["cuda"]) == (str(CORES), CORES, "not set")
    assert max(_details(tmp_path, found[f"{symbol} Fine"])["finished"] for symbol in "ABC") < gpu["finished"]
    log = run.stderr.decode()
    assert "Stage 1 (CPU): 3 models of 3 jobs (Fine) on 1 worker\n" in log
    assert "Stage 2 (GPU): 1 model of 1 job (FineOnGpu) on 1 worker\n" in log


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


def test_an_interrupt_stops_the_workers_and_keeps_what_is_done(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command(tmp_path, "Fine,Hangs", workers=1), env=_environment(tmp_path), stdout=-1, stderr=-1
    ) as run:
        _until(lambda: _states(tmp_path).get(("A", "Hangs"), ("",))[0] == "running", "the family hangs")
        _until(lambda: any(tmp_path.glob("child_*")), "it has started its child")
        workers = _children(run.pid)
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
    assert _ended(int(next(tmp_path.glob("child_*")).name.removeprefix("child_")))
    assert list((tmp_path / "globals").glob(".training_store*"))
    assert _states(tmp_path)[("A", "Hangs")][0] == "running"
    subprocess.run(_command(tmp_path, "Fine"), env=_environment(tmp_path), capture_output=True, check=True)
    assert not list((tmp_path / "globals").glob(".training_store*"))
    assert _states(tmp_path)[("A", "Fine")] == ("done", None)

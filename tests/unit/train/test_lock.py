import os
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainroute.errors import OutputInUseError
from trainroute.train.lock import SILENT_SECONDS, OutputLock, require_unused

A, B = ("sym_a", "LightGBM"), ("sym_b", "LightGBM")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "globals/training_ledger.sqlite"


def _insert(ledger: Path, host: str, process: int, started: str, seen: float) -> None:
    with sqlite3.connect(ledger) as connection:
        connection.execute(
            "INSERT INTO holders VALUES ('*', '*', ?, ?, ?, ?)",
            (host, process, started, seen),
        )
    connection.close()


def _held(ledger: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(ledger)
    found = connection.execute("SELECT job_id, family FROM holders").fetchall()
    connection.close()
    return found


def test_a_directory_is_held_by_one_run_alone(ledger: Path, tmp_path: Path) -> None:
    with OutputLock(ledger, tmp_path):
        for pairs in (None, [A]):
            with pytest.raises(OutputInUseError, match=f"process {os.getpid()} on {socket.gethostname()} trains into"):
                OutputLock(ledger, tmp_path, pairs).__enter__()
        with pytest.raises(OutputInUseError, match="wait for its end, stop it, or give another --output-dir"):
            require_unused(ledger, tmp_path)
    require_unused(ledger, tmp_path)
    assert _held(ledger) == []


def test_single_jobs_stand_beside_each_other_but_not_beside_themselves_or_a_run(ledger: Path, tmp_path: Path) -> None:
    with OutputLock(ledger, tmp_path, [A]), OutputLock(ledger, tmp_path, [B]):
        assert _held(ledger) == [A, B]
        with pytest.raises(OutputInUseError, match="trains sym_a × LightGBM in it"):
            OutputLock(ledger, tmp_path, [A]).__enter__()
        with pytest.raises(OutputInUseError, match="trains sym_a × LightGBM in it"):
            OutputLock(ledger, tmp_path).__enter__()
    with OutputLock(ledger, tmp_path):
        assert _held(ledger) == [("*", "*")]


def test_a_process_that_has_ended_holds_nothing(ledger: Path, tmp_path: Path) -> None:
    with OutputLock(ledger, tmp_path):
        pass
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    _insert(ledger, socket.gethostname(), ended.pid, "12345", time.time())
    require_unused(ledger, tmp_path)
    with OutputLock(ledger, tmp_path):
        assert _held(ledger) == [("*", "*")]


def test_a_number_that_was_given_anew_is_another_process(ledger: Path, tmp_path: Path) -> None:
    with OutputLock(ledger, tmp_path):
        pass
    _insert(ledger, socket.gethostname(), os.getpid(), "1", time.time())
    with OutputLock(ledger, tmp_path):
        pass


@pytest.mark.parametrize(("silent", "holds"), [(1.0, True), (SILENT_SECONDS + 5, False)])
def test_another_machine_holds_until_it_is_not_heard_of(
    ledger: Path, tmp_path: Path, silent: float, *, holds: bool
) -> None:
    with OutputLock(ledger, tmp_path):
        pass
    _insert(ledger, "elsewhere", 1, "1", time.time() - silent)
    if holds:
        with pytest.raises(OutputInUseError, match="process 1 on elsewhere"):
            OutputLock(ledger, tmp_path).__enter__()
    else:
        with OutputLock(ledger, tmp_path):
            pass


def test_a_holder_is_heard_of_while_it_works(ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainroute.train.lock.BEAT_SECONDS", 0.0)
    with OutputLock(ledger, tmp_path) as lock:
        connection = sqlite3.connect(ledger)
        before = connection.execute("SELECT seen FROM holders").fetchone()
        time.sleep(0.01)
        lock.beat()
        assert connection.execute("SELECT seen FROM holders").fetchone() > before
        connection.close()


def test_a_directory_without_a_ledger_is_free(ledger: Path, tmp_path: Path) -> None:
    require_unused(ledger, tmp_path)
    assert not ledger.exists()

"""Kill a training run at a random moment, go on with ``--resume``, and compare with a run that nobody disturbed.

Run: ``python benchmarks/kill_and_resume.py [--times 30] [--jobs 60] [--kinds run worker disk] [--seed 0]``.

1. One undisturbed run of small LightGBM jobs gives the bytes of every model file and every score.
2. Then, again and again in new directories: the run is killed (``run``), its workers are (``worker``, three of them),
   or its disk fills up (``disk``: RLIMIT_FSIZE of the run and its workers), each at a random moment of the training.
3. After each, the ledger must be whole; what it calls done must be there. Then ``--resume`` ends the run.
4. The final models and scores must be the undisturbed run's, byte for byte, and nothing that was done may be repeated.
"""

import argparse
import hashlib
import json
import logging
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from train_overhead import make_panel, make_plan

from trainroute.config import Config
from trainroute.config.schema import FamilyConfig, TrainingConfig
from trainroute.errors import TrainrouteError
from trainroute.train import train_plan

KINDS = ("run", "worker", "disk")

_LEDGER = "globals/training_ledger.sqlite"
_FILE_LIMIT = 8192
_PATIENCE_SECONDS = 300
_WORKERS_KILLED = 3


@dataclass(frozen=True)
class Outcome:
    """What a directory holds: the hash of each model file, the score of each pair, and how pairs came about."""

    files: dict[str, str]
    scores: dict[str, float | None]
    resumed: int
    attempts: int


def child(output: Path, n_jobs: int, *, resume: bool) -> int:
    """Train the jobs, as a user's script would."""
    panel = make_panel(n_jobs, 1200, 8)
    quick = FamilyConfig(hyperparameters={"rounds": 30, "rounds_without_validation": 30})
    config = Config(
        training=TrainingConfig(workers=2, attempts=1 + _WORKERS_KILLED, families={"LightGBM": quick}, memory_mb=16384)
    )
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return train_plan(make_plan(panel), panel, config, output_dir=output, resume=resume).exit_code
    except TrainrouteError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


def start(output: Path, n_jobs: int, *, resume: bool = False) -> "subprocess.Popen[bytes]":
    """Start a training run in a process of its own."""
    command = [sys.executable, __file__, "--child", str(output), "--jobs", str(n_jobs), *(["--resume"] * resume)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(run: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """Wait for a run; return its exit code and what it said."""
    _, said = run.communicate(timeout=_PATIENCE_SECONDS)
    return run.returncode, said.decode()


def states(output: Path) -> Counter[str]:
    """Count the ledger's rows by state, after checking that the file is whole."""
    path = output / _LEDGER
    if not path.exists():
        return Counter()
    connection = sqlite3.connect(path, timeout=30)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if whole != "ok":
            raise SystemExit(f"{path}: {whole}")
        return Counter(state for (state,) in connection.execute("SELECT state FROM results"))
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) or "locked" in str(error):
            return Counter()
        raise
    finally:
        connection.close()


def outcome(output: Path) -> Outcome:
    """Read what a finished run has left."""
    models = output / "models"
    files = {
        path.relative_to(models).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(models.rglob("*"))
        if path.is_file()
    }
    results = json.loads((output / "globals/training_report.json").read_text())["results"]
    return Outcome(
        files=files,
        scores={f"{row['job_id']} × {row['family']}": row["score"] for row in results},
        resumed=sum(row["resumed"] for row in results),
        attempts=sum(row["attempts"] for row in results if not row["resumed"]),
    )


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(name) for name in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def kill_run(run: "subprocess.Popen[bytes]", wait: Callable[[], None]) -> None:
    """Kill the run itself."""
    wait()
    run.kill()


def kill_workers(run: "subprocess.Popen[bytes]", wait: Callable[[], None]) -> None:
    """Kill one worker after the other."""
    wait()
    for _ in range(_WORKERS_KILLED):
        for worker in children(run.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
        time.sleep(0.5)


def fill_disk(run: "subprocess.Popen[bytes]", wait: Callable[[], None]) -> None:
    """Let no file of the run grow beyond a few kilobytes from now on."""
    wait()
    for process in (run.pid, *children(run.pid)):
        try:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (_FILE_LIMIT, _FILE_LIMIT))
        except ProcessLookupError:
            continue


DISTURB = {"run": kill_run, "worker": kill_workers, "disk": fill_disk}


@dataclass(frozen=True)
class Row:
    """One disturbed run: what was done when it ended, what its resumption kept, and what was wrong."""

    kind: str
    exit_code: int
    done: int
    running: int
    kept: int
    repeated: int
    wrong: Sequence[str]


def disturbed(kind: str, output: Path, n_jobs: int, expected: Outcome, at: float) -> Row:
    """Disturb a run when a share ``at`` of its jobs is done, resume it, and compare."""

    def wait() -> None:
        while states(output)["done"] < at * n_jobs and run.poll() is None:
            time.sleep(0.01)

    run = start(output, n_jobs)
    DISTURB[kind](run, wait)
    code, said = finish(run)
    found = states(output)
    wrong = []
    errors = sum(line.startswith("error: ") for line in said.splitlines())
    if kind == "disk" and (code != 1 or errors != 1 or "Traceback" in said):
        wrong.append(f"a full disk ended with {code}: {said[-300:]!r}")
    again, said = finish(start(output, n_jobs, resume=True))
    if again != 0:
        return Row(
            kind, code, found["done"], found["running"], 0, 0, [*wrong, f"resumed with {again}: {said[-300:]!r}"]
        )
    after = outcome(output)
    if after.files != expected.files:
        wrong.append("other models")
    if after.scores != expected.scores:
        wrong.append("other scores")
    if after.resumed < found["done"]:
        wrong.append(f"{found['done']} were done, {after.resumed} kept")
    if sum(found.values()) not in {0, n_jobs} or states(output) != Counter(done=n_jobs):
        wrong.append(f"the ledger held {dict(found)}, then {dict(states(output))}")
    repeated = max(0, found["done"] + found["running"] - after.resumed)
    if repeated > found["running"]:
        wrong.append(f"{repeated} repeated, {found['running']} were running")
    return Row(kind, code, found["done"], found["running"], after.resumed, repeated, wrong)


def undisturbed(output: Path, n_jobs: int) -> Outcome:
    """Train all jobs at once, in peace."""
    code, said = finish(start(output, n_jobs))
    if code != 0:
        raise SystemExit(f"the undisturbed run failed: {said}")
    return outcome(output)


def main() -> None:
    """Disturb, resume, compare, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    if given.child is not None:
        sys.exit(child(given.child, given.jobs, resume=given.resume))
    rng = random.Random(given.seed)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        expected = undisturbed(Path(folder) / "undisturbed", given.jobs)
        print(f"{given.jobs} jobs, {len(expected.files)} files of models; undisturbed: all done")
        print(f"{'':>3} {'disturbed':<9} {'exit':>5} {'done':>5} {'running':>8} {'kept':>5} {'repeated':>9}  equal")
        for number in range(given.times):
            kind = given.kinds[number % len(given.kinds)]
            row = disturbed(kind, Path(folder) / str(number), given.jobs, expected, rng.random())
            failures += bool(row.wrong)
            print(
                f"{number + 1:>3} {kind:<9} {row.exit_code:>5} {row.done:>5} {row.running:>8} {row.kept:>5} "
                f"{row.repeated:>9}  {'; '.join(row.wrong) or 'yes'}",
                flush=True,
            )
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

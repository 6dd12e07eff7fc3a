"""The library at the top level of a script, without a main guard, and from standard input; the -m entry points."""

import os
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """\
from TRAINING.orchestration.intelligent_trainer import IntelligentTrainer

trainer = IntelligentTrainer("data", ["AAPL", "MSFT"], "results")
result = trainer.train_with_intelligence(auto_targets=True, top_n_targets=1, auto_features=True, top_m_features=8)
print("ended", result.exit_code, len(result.plan["jobs"]), result.outcome.report.executed)
"""
LINES = (
    "Training routing plan generated",
    "Training plan generated",
    "Training plan filter applied: 1 → 1 targets",
    "Using model families from training plan",
    "Stage 1 (CPU): ",
    "Stage 2 (GPU): ",
)


@pytest.fixture(scope="module")
def place(new_workplace):
    return new_workplace()


def _ran(place, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(
        command, cwd=place.path, input=given, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize("from_standard_input", [False, True])
def test_a_script_without_a_main_guard_runs_once_to_the_end(from_standard_input: bool, place) -> None:
    (place.path / "script.py").write_text(SCRIPT)
    ended = _ran(place, "-", given=SCRIPT) if from_standard_input else _ran(place, "script.py")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("ended 0 ") == 1
    assert [line for line in LINES if ended.stderr.count(line) != 1] == []
    assert int(ended.stdout.split()[-1]) > 0


def test_the_entry_points_run_verbatim(place) -> None:
    """By `-m`, in the order in which a user types them; all families that exist, the rest named."""
    symbols = ("--symbols", "AAPL", "MSFT")
    first = _ran(
        place, "-m", "TRAINING.orchestration.intelligent_trainer", "--data-dir", "data", *symbols,
        "--auto-targets", "--auto-features", "--top-n-targets", "1", "--top-m-features", "8",
    )  # fmt: skip
    main = ("-m", "TRAINING.training_strategies.main", "--data-dir", "data", *symbols, "--model-types", "sequential")
    second = _ran(place, *main)
    third = _ran(place, *main, "--training-plan-dir", "results/globals/training_plan")
    for ended in (first, second, third):
        assert ended.returncode == 0, ended.stderr
        assert "Warning" not in ended.stderr
        assert [line for line in LINES[2:] if line not in ended.stderr] == []
        assert "Not in this version, so not trained: " in ended.stderr
        assert "Ensemble" in ended.stdout
    assert [line for line in LINES[:2] if line not in first.stderr] == []


def test_interrupting_ends_with_130_and_leaves_no_process(new_workplace) -> None:
    place = new_workplace()
    process = subprocess.Popen(
        [sys.executable, "-m", "trainroute", "run", "--data-dir", "data"],
        cwd=place.path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Stage 1"):
            break
    os.killpg(process.pid, 2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "error: interrupted" in err
    assert "Traceback" not in err
    deadline = time.monotonic() + 10
    while _alive(process.pid):
        assert time.monotonic() < deadline, "workers outlived the program"
        time.sleep(0.05)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

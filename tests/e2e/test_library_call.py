"""The library at the top level of a script, without a main guard, and from standard input."""

import os
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """\
from TRAINING.orchestration.intelligent_trainer import IntelligentTrainer

trainer = IntelligentTrainer("data", ["AAPL", "MSFT"], "results")
result = trainer.train_with_intelligence(auto_targets=True, top_n_targets=1, families=["lightgbm", "mlp"])
print("ended", result.exit_code, len(result.plan["jobs"]), result.outcome.report.executed)
"""
LINES = (
    "Training routing plan generated",
    "Training plan generated",
    "Training plan filter applied: 1 → 1 targets",
    "Using model families from training plan",
    "Stage 1 (CPU): ",
)


@pytest.fixture(scope="module")
def place(new_short_workplace):
    place = new_short_workplace()
    place.settings.write_text(place.settings.read_text() + "    MLP: {hyperparameters: {epochs: 1}}\n")
    return place


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
    assert "Stage 2 (GPU): " in ended.stderr
    assert int(ended.stdout.split()[-1]) > 0


def test_interrupting_ends_with_130_and_leaves_no_process(new_short_workplace) -> None:
    place = new_short_workplace()
    process = subprocess.Popen(
        [sys.executable, "-m", "trainroute", "run", "--data-dir", "data", "--symbols", "AAPL", "MSFT"],
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

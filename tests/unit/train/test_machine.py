"""What the trainer finds out about the machine: free memory, GPUs, how a run is stopped."""

import os
import signal
import threading
from pathlib import Path

import pytest

from trainroute.config.schema import TrainingConfig
from trainroute.records.vocabulary import Stage
from trainroute.train import memory
from trainroute.train.devices import gpus
from trainroute.train.stopping import stop_on_interrupt
from trainroute.train.workers import memory_for_fits, stage_workers


def test_free_memory_is_that_of_the_machine_or_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path)
    whole = memory.available_bytes()
    assert whole is not None
    assert whole > 50 << 20
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert memory.available_bytes() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert (memory.available_bytes() or 0) > 50 << 20


def test_a_configured_total_beats_what_is_free() -> None:
    assert memory_for_fits(TrainingConfig(memory_mb=3)) == 3 << 20


@pytest.mark.parametrize(
    ("variable", "found"),
    [("", ()), ("0", ("0",)), ("1,GPU-ab", ("1", "GPU-ab")), ("-1", ()), ("0,-1,2", ("0",)), ("NoDevFiles", ())],
)
def test_gpus_are_those_of_the_variable(variable: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert gpus() == found


@pytest.mark.parametrize(("script", "found"), [("echo 0; echo 1", ("0", "1")), ("echo No devices; exit 9", ())])
def test_without_the_variable_gpus_are_those_of_the_driver(
    script: str, found: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert gpus() == found


def test_workers_beside_gpus_share_the_cores_and_others_see_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr("trainroute.train.workers.available_cores", lambda: 8)
    config = TrainingConfig(workers=3, threads_per_worker=2, workers_per_gpu=2)
    beside = stage_workers(Stage.GPU, config)
    assert [dict(found)["CUDA_VISIBLE_DEVICES"] for found in beside.environments] == ["0", "0", "1", "1"]
    assert {found["CUBLAS_WORKSPACE_CONFIG"] for found in beside.environments} == {":4096:8"}
    assert (beside.threads, beside.gpus) == (2, 2)
    cpu = stage_workers(Stage.CPU, config)
    assert [dict(found) for found in cpu.environments] == [{"CUDA_VISIBLE_DEVICES": ""}] * 3
    assert (cpu.threads, cpu.gpus) == (2, 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert stage_workers(Stage.GPU, config) == cpu


def test_the_first_interrupt_asks_and_the_second_insists(caplog: pytest.LogCaptureFixture) -> None:
    with stop_on_interrupt() as stop:
        assert not stop.requested()
        signal.raise_signal(signal.SIGINT)
        assert stop.requested()
        assert (stop.reason, stop.interrupted) == ("interrupted", True)
        stop.request("something else")
        assert stop.requested()
        assert stop.reason == "interrupted"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len([line for line in caplog.messages if line.startswith("Stopping: interrupted")]) == 1


def test_a_program_that_handles_interrupts_keeps_its_way() -> None:
    calls = []
    before = signal.signal(signal.SIGINT, lambda *_: calls.append(1))
    try:
        with stop_on_interrupt() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop.requested()
        assert calls == [1]
    finally:
        signal.signal(signal.SIGINT, before)


def test_elsewhere_than_in_the_main_thread_nothing_is_changed() -> None:
    found = []

    def work() -> None:
        with stop_on_interrupt() as stop:
            found.append(stop.requested())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]

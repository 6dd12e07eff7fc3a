import numpy as np
import torch

from trainroute.networks.batches import RowBatches, SequenceBatches
from trainroute.networks.sequences import run_starts

CPU = torch.device("cpu")


def _starts(symbol: list[int], time: list[int], max_gap: int) -> list[int]:
    return run_starts(np.array(symbol, np.int32), np.array(time, np.int32), max_gap=max_gap).tolist()


def test_a_run_ends_at_a_symbol_and_at_a_gap() -> None:
    symbol = [0, 0, 0, 0, 0, 3, 3, 3]
    time = [0, 1, 3, 6, 7, 8, 9, 99]
    assert _starts(symbol, time, 1) == [0, 0, 2, 3, 3, 5, 5, 7]
    assert _starts(symbol, time, 2) == [0, 0, 0, 3, 3, 5, 5, 7]
    assert _starts(symbol, time, 3) == [0, 0, 0, 0, 0, 5, 5, 7]
    assert _starts(symbol, time, 200) == [0, 0, 0, 0, 0, 5, 5, 5]


def test_no_rows_have_no_runs() -> None:
    assert _starts([], [], 1) == []


def test_a_step_back_in_time_to_another_symbol_is_a_new_run() -> None:
    assert _starts([0, 0, 1, 1], [5, 6, 0, 1], 9) == [0, 0, 2, 2]


def _slow_sequence(inputs: np.ndarray, symbol: np.ndarray, time: np.ndarray, row: int, length: int, gap: int) -> list:
    """One sequence by going back row by row."""
    steps: list = [inputs[row]]
    while len(steps) < length:
        before = row - len(steps)
        if before < 0 or symbol[before] != symbol[row] or time[before + 1] - time[before] > gap:
            break
        steps.insert(0, inputs[before])
    return [np.zeros_like(inputs[0])] * (length - len(steps)) + steps


def test_gathered_sequences_are_those_of_going_back_row_by_row() -> None:
    rng = np.random.default_rng(0)
    symbol = np.repeat(np.arange(4), [60, 1, 5, 40]).astype(np.int32)
    time = np.concatenate([np.sort(rng.choice(150, size=n, replace=False)) for n in (60, 1, 5, 40)]).astype(np.int32)
    inputs = rng.normal(size=(106, 3)).astype(np.float32)
    batches = SequenceBatches(inputs, run_starts(symbol, time, max_gap=3), length=7, device=CPU)
    rows = rng.permutation(106)
    steps, present = batches.take(torch.from_numpy(rows))
    for number, row in enumerate(rows):
        expected = np.array(_slow_sequence(inputs, symbol, time, row, 7, 3))
        np.testing.assert_array_equal(steps[number].numpy(), expected)
        np.testing.assert_array_equal(present[number].numpy(), expected.any(axis=1))
    assert present[:, -1].all(), "a row always belongs to its own sequence"
    assert 0 < int(present.sum()) < present.numel()


def test_rows_are_gathered_as_they_stand() -> None:
    inputs = np.arange(12, dtype=np.float32).reshape(6, 2)
    (taken,) = RowBatches(inputs, CPU).take(torch.tensor([4, 0, 4]))
    np.testing.assert_array_equal(taken.numpy(), inputs[[4, 0, 4]])

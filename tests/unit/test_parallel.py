"""Work on every core gives what work on one core gives."""

import os
import threading

import pytest

from trainroute.parallel import available_cores, beside, in_threads, streamed


def test_results_come_in_the_order_of_the_pieces_whoever_is_done_first() -> None:
    last_is_done = threading.Event()

    def work(piece: int) -> int:
        if piece == 1:
            last_is_done.set()
        elif available_cores() > 1:
            assert last_is_done.wait(30)
        return piece * 10

    assert in_threads(work, range(2)) == [0, 10]


def test_an_error_of_a_piece_travels() -> None:
    def work(piece: int) -> int:
        if piece == 3:
            raise ValueError("piece 3")
        return piece

    with pytest.raises(ValueError, match="piece 3"):
        in_threads(work, range(6))
    results = streamed(work, range(6))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="piece 3"):
        next(results)


def test_results_come_one_by_one_and_only_a_few_ahead() -> None:
    begun: list[int] = []

    def work(piece: int) -> int:
        begun.append(piece)
        return piece * 10

    results = streamed(work, range(1000))
    assert [next(results), next(results)] == [0, 10]
    assert len(begun) < 1000 or available_cores() > 400
    assert list(results) == [piece * 10 for piece in range(2, 1000)]
    assert sorted(begun) == list(range(1000))
    assert list(streamed(work, [])) == []


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are not ours to choose here")
def test_only_the_cores_that_the_process_may_use_are_counted() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_work_beside_a_block_runs_with_it_and_is_done_after_it() -> None:
    block_runs, done = threading.Event(), threading.Event()

    def work() -> None:
        assert block_runs.wait(30)
        done.set()

    with beside(work):
        block_runs.set()
    assert done.is_set()


def test_an_error_of_work_beside_a_block_travels_at_its_end() -> None:
    def work() -> None:
        raise ValueError("beside")

    reached = []
    with pytest.raises(ValueError, match="beside"), beside(work):
        reached.append("the end of the block")
    assert reached


def test_an_error_of_the_block_waits_for_the_work() -> None:
    done = threading.Event()
    with pytest.raises(KeyError, match="block"), beside(done.set):
        raise KeyError("block")
    assert done.is_set()

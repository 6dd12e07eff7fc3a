"""Work on every core gives what work on one core gives."""

import os
import threading

import pytest

from trainroute.parallel import available_cores, in_threads


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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are not ours to choose here")
def test_only_the_cores_that_the_process_may_use_are_counted() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)

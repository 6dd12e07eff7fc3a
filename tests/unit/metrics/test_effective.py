import itertools

import numpy as np
import pytest

from trainroute.metrics import effective_windows, non_overlapping_events


def test_windows_are_labelled_timestamps_over_the_horizon():
    assert effective_windows([3, 4, 5, 6, 7, 8], 3) == 2.0
    assert effective_windows([3, 3, 3, 4], 1) == 2.0
    assert effective_windows([], 5) == 0.0
    with pytest.raises(ValueError, match="horizon_bars must be at least 1; got 0"):
        effective_windows([1], 0)


def test_events_closer_than_the_horizon_count_once():
    time = np.array([9, 0, 2, 1, 4, 3])
    event = np.array([True, True, True, True, False, False])
    assert non_overlapping_events(time, event, 1) == 4
    assert non_overlapping_events(time, event, 2) == 3
    assert non_overlapping_events(time, event, 3) == 2
    assert non_overlapping_events(time, event, 100) == 1
    assert non_overlapping_events(time, ~event, 100) == 1
    assert non_overlapping_events(time, np.zeros(6, bool), 2) == 0
    with pytest.raises(ValueError, match="horizon_bars must be at least 1; got -1"):
        non_overlapping_events(time, event, -1)


def test_events_of_several_symbols_on_one_date_count_once():
    assert non_overlapping_events([5, 5, 5], [True, True, True], 1) == 1


def test_is_the_largest_set_a_horizon_apart():
    rng = np.random.default_rng(0)
    for _ in range(30):
        time, event, horizon = rng.permutation(14), rng.random(14) < 0.6, int(rng.integers(1, 6))
        events = sorted(time[event])
        best = max(
            size
            for size in range(len(events) + 1)
            for chosen in itertools.combinations(events, size)
            if all(b - a >= horizon for a, b in itertools.pairwise(chosen))
        )
        assert non_overlapping_events(time, event, horizon) == best

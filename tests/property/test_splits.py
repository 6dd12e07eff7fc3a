"""Walk-forward splits: whole timestamps, purge and embargo, against slow and obvious loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainroute.errors import DataError
from trainroute.panel import WalkForward

SETTINGS = st.fixed_dictionaries(
    {
        "n_blocks": st.integers(4, 12),
        "initial_train_blocks": st.integers(1, 3),
        "holdout_fraction": st.floats(0.01, 0.49),
        "embargo_us": st.integers(0, 40),
    }
)


@st.composite
def timelines(draw: st.DrawFn) -> np.ndarray:
    gaps = draw(st.lists(st.integers(1, 30), min_size=30, max_size=60))
    return np.cumsum(np.array(gaps, dtype=np.int64)) + draw(st.integers(-(10**6), 10**15))


@given(timelines(), SETTINGS)
def test_blocks_partition_the_timeline_evenly(timeline: np.ndarray, settings: dict[str, float]) -> None:
    folds = WalkForward.build(timeline, **settings)  # type: ignore[arg-type]
    blocks = folds.block_of(timeline)
    assert (np.diff(blocks) >= 0).all()
    sizes = np.bincount(blocks, minlength=folds.n_blocks + 1)
    assert len(sizes) == settings["n_blocks"] + 1
    assert sizes[:-1].max() - sizes[:-1].min() <= 1
    assert sizes.min() >= 1
    assert sizes[-1] == int(np.ceil(len(timeline) * settings["holdout_fraction"]))
    assert list(folds.test_blocks) == list(range(settings["initial_train_blocks"], settings["n_blocks"]))  # type: ignore[arg-type]
    slow = [sum(time >= start for start in folds.boundaries[1:]) for time in timeline.tolist()]
    assert blocks.tolist() == slow


@given(timelines(), SETTINGS)
def test_rows_at_one_time_share_their_block(timeline: np.ndarray, settings: dict[str, float]) -> None:
    folds = WalkForward.build(timeline, **settings)  # type: ignore[arg-type]
    rows = np.repeat(timeline, 3)
    assert (folds.block_of(rows).reshape(-1, 3) == folds.block_of(timeline)[:, None]).all()
    assert np.isin(folds.boundaries, timeline).all()


@given(timelines(), SETTINGS, st.data())
def test_no_training_label_reaches_its_test_block(
    timeline: np.ndarray, settings: dict[str, float], data: st.DataObject
) -> None:
    folds = WalkForward.build(timeline, **settings)  # type: ignore[arg-type]
    lengths = data.draw(st.lists(st.integers(1, 200), min_size=len(timeline), max_size=len(timeline)))
    label_end = timeline + np.array(lengths)
    usable = folds.usable_from(label_end)
    for fold in [*folds.test_blocks, folds.n_blocks]:
        trains = usable <= fold
        start = folds.boundaries[fold]
        assert (label_end[trains] + folds.embargo_us < start).all()
        assert (timeline[trains] < start).all()
        # Nothing that may train is left out.
        assert (label_end[~trains] + folds.embargo_us >= start).all()


@given(timelines(), SETTINGS, st.integers(-300, 4000))
def test_usable_from_agrees_with_a_slow_loop(timeline: np.ndarray, settings: dict[str, float], offset: int) -> None:
    folds = WalkForward.build(timeline, **settings)  # type: ignore[arg-type]
    ends = np.array([timeline[0] + offset, *timeline, *folds.boundaries - folds.embargo_us])

    def slow(end: int) -> int:
        for k, start in enumerate(folds.boundaries.tolist()):
            if end + folds.embargo_us < start:
                return k
        return folds.n_blocks + 1

    assert folds.usable_from(ends).tolist() == [slow(end) for end in ends.tolist()]
    assert folds.usable_from(ends).dtype == np.int16


def test_shapes_are_kept() -> None:
    folds = WalkForward.build(np.arange(100), n_blocks=5, initial_train_blocks=2, holdout_fraction=0.1, embargo_us=0)
    assert folds.boundaries.tolist() == [0, 18, 36, 54, 72, 90]
    assert folds.usable_from(np.array([[17, 18], [89, 90]])).tolist() == [[1, 2], [5, 6]]


def test_too_few_timestamps_are_refused() -> None:
    with pytest.raises(DataError, match="10 timestamps, 9 before the holdout: too few for 10 blocks; give more rows"):
        WalkForward.build(np.arange(10), n_blocks=10, initial_train_blocks=4, holdout_fraction=0.1, embargo_us=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial_train_blocks": 0},
        {"initial_train_blocks": 5},
        {"holdout_fraction": 0.0},
        {"holdout_fraction": 1.0},
        {"embargo_us": -1},
        {"timestamps": np.array([3, 2, 1])},
        {"timestamps": np.array([1, 1, 2])},
    ],
)
def test_impossible_arguments_are_refused(wrong: dict[str, object]) -> None:
    arguments = {
        "timestamps": np.arange(100),
        "n_blocks": 5,
        "initial_train_blocks": 2,
        "holdout_fraction": 0.1,
        "embargo_us": 0,
    }
    with pytest.raises(ValueError, match=r"must|impossible"):
        WalkForward.build(**{**arguments, **wrong})  # type: ignore[arg-type]

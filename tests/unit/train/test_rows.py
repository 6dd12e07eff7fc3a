from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainroute.errors import TrainingError
from trainroute.panel import Panel, WalkForward
from trainroute.records.plan import TrainingJob
from trainroute.train.rows import Wanted, job_rows, symbol_of, take_features, take_labels, take_training_rows, window
from trainroute.train.store import PanelStore, write_store

MINUTE = 60_000_000
MakeJob = Callable[..., TrainingJob]


@pytest.fixture
def store_of(tmp_path: Path) -> Callable[..., PanelStore]:
    def make(panel: Panel, embargo_us: int = 0) -> PanelStore:
        split = WalkForward.build(
            panel.timestamps, n_blocks=8, initial_train_blocks=3, holdout_fraction=0.2, embargo_us=embargo_us
        )
        return write_store(panel, split, tmp_path)

    return make


def _time(store: PanelStore, rows: np.ndarray) -> np.ndarray:
    return store.timestamps[store.time_index[rows]]


def test_no_training_label_reaches_the_rows_that_judge(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    embargo = 3 * MINUTE
    store = store_of(make_panel(horizon=7, starts={"S1": 300}), embargo)
    rows = job_rows(store, make_job(), min_rows=100)
    holdout, last_block = store.split.boundaries[-1], store.split.boundaries[-2]
    assert (store.label_end[rows.train, 0] + embargo < last_block).all()
    assert (_time(store, rows.validation) >= last_block).all()
    assert (store.label_end[rows.validation, 0] + embargo < holdout).all()
    assert (_time(store, rows.holdout) >= holdout).all()
    assert not np.isnan(store.targets[np.concatenate([rows.train, rows.validation, rows.holdout]), 0]).any()


def test_every_labelled_row_is_used_or_counted_as_purged(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    store = store_of(make_panel(horizon=7, starts={"S1": 300}))
    rows = job_rows(store, make_job(), min_rows=100)
    used = np.concatenate([rows.train, rows.validation, rows.holdout])
    assert len(np.unique(used)) == len(used)
    assert len(used) + rows.purged == np.count_nonzero(~np.isnan(store.targets[:, 0]))
    assert rows.purged == 2 * 7 * 3, "seven rows of each symbol before the last block and before the holdout"


def test_a_local_job_reads_its_symbol_only(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    store = store_of(make_panel())
    rows = job_rows(store, make_job(symbol="S2"), min_rows=100)
    for part in (rows.train, rows.validation, rows.holdout):
        assert set(symbol_of(store, part)) == {2}


def test_a_pooled_job_trains_on_its_pool_and_is_scored_on_those_it_serves(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    store = store_of(make_panel())
    job = make_job(symbols=("S1",), training_symbols=("S0", "S1"))
    rows = job_rows(store, job, min_rows=100)
    assert set(symbol_of(store, rows.train)) == set(symbol_of(store, rows.validation)) == {0, 1}
    assert set(symbol_of(store, rows.holdout)) == {1}


def test_a_symbol_that_begins_late_trains_without_validation(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    panel = make_panel(starts={"S0": 500})
    store = store_of(panel)
    job = make_job(symbol="S0")
    some = job_rows(store, job, min_rows=50)
    assert 50 <= len(some.train) < 100
    assert len(some.validation) > 0
    every = job_rows(store, job, min_rows=len(some.train) + 1)
    np.testing.assert_array_equal(every.train, np.sort(np.concatenate([some.train, some.validation])))
    assert len(every.validation) == 0


def test_features_come_in_the_order_asked_for(
    make_panel: Callable[..., Panel], store_of: Callable[..., PanelStore]
) -> None:
    panel = make_panel()
    store = store_of(panel)
    taken = take_features(store, np.array([3, 801, 805]), ("f2", "f0"))
    expected = np.stack([panel.rows[0].features[3], panel.rows[1].features[1], panel.rows[1].features[5]])[:, [2, 0]]
    np.testing.assert_array_equal(taken.features, expected)
    assert taken.features.flags.c_contiguous
    assert type(taken.features) is np.ndarray
    assert taken.symbol.tolist() == [0, 1, 1]
    assert taken.time.tolist() == [3, 1, 5]


def test_labels_of_classes_are_numbered_in_ascending_order(
    make_panel: Callable[..., Panel], store_of: Callable[..., PanelStore]
) -> None:
    store = store_of(make_panel())
    target = store.index.targets[1]
    rows = np.arange(100)
    np.testing.assert_array_equal(take_labels(store, rows, target), store.targets[rows, 1] + 1)
    wanted = Wanted(features=("f0",), target=store.index.targets[2])
    taken = take_training_rows(store, rows, wanted, first_block=0, ends_before=store.split.n_blocks)
    np.testing.assert_array_equal(taken.labels, store.targets[rows, 2])
    assert taken.siblings is None
    with pytest.raises(TrainingError, match=r"'y_multiclass' holds 1; expected one of \[-1.0, 0.0\]"):
        take_labels(store, rows, replace(target, classes=(-1.0, 0.0)))


def test_the_window_says_what_the_model_has_seen(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    store = store_of(make_panel(starts={"S1": 300}))
    rows = job_rows(store, make_job(symbol="S1"), min_rows=100)
    seen = window(store, rows, store.index.targets[0])
    assert seen.first == 300 * MINUTE
    assert seen.last + 5 * MINUTE == seen.last_label_end < store.split.boundaries[-1]
    assert seen.rows == len(rows.train) + len(rows.validation)
    assert seen.validation_rows == len(rows.validation)


def test_a_family_that_reads_history_gets_the_rows_between_without_labels(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    store = store_of(make_panel(starts={"S1": 300}))
    rows = job_rows(store, make_job(), min_rows=100)
    wanted = Wanted(features=("f0",), target=store.index.targets[0], history=True)
    last = store.split.n_blocks
    train = take_training_rows(store, rows.train[::3], wanted, first_block=0, ends_before=last - 1)
    later = take_training_rows(store, rows.validation[::3], wanted, first_block=last - 1, ends_before=last)
    assert np.count_nonzero(~np.isnan(train.labels)) == len(rows.train[::3])
    assert np.count_nonzero(~np.isnan(later.labels)) == len(rows.validation[::3])
    for part in (train, later):
        same_symbol = np.diff(part.symbol) == 0
        assert (np.diff(part.time)[same_symbol] == 1).all()
    assert store.timestamps[train.time].max() < store.split.boundaries[last - 1] <= store.timestamps[later.time].min()
    assert store.timestamps[later.time].max() < store.split.boundaries[last]


def test_siblings_labels_end_before_the_rows_that_judge(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    store = store_of(make_panel())
    first, _, third = store.index.targets
    rows = job_rows(store, make_job(), min_rows=100)
    wanted = Wanted(features=("f0",), target=first, siblings=(third,))
    last = store.split.n_blocks
    taken = take_training_rows(store, rows.train, wanted, first_block=0, ends_before=last - 1)
    assert taken.siblings is not None
    assert (taken.siblings.names, taken.siblings.tasks) == ((third.name,), (third.task,))
    known = ~np.isnan(taken.siblings.labels[:, 0])
    assert known.any()
    ends = store.label_end[rows.train[known], third.horizon_index]
    assert ends.max() < store.split.boundaries[last - 1]
    np.testing.assert_array_equal(taken.siblings.labels[known, 0], store.targets[rows.train[known], 2])


def test_a_label_may_be_used_from_the_first_timestamp_after_its_end_and_the_embargo(
    make_panel: Callable[..., Panel], make_job: MakeJob, store_of: Callable[..., PanelStore]
) -> None:
    embargo = 3 * MINUTE
    store = store_of(make_panel(horizon=7, starts={"S1": 300}), embargo)
    target = store.index.targets[0]
    rows = job_rows(store, make_job(), min_rows=100).train
    taken = take_training_rows(store, rows, Wanted(features=("f0",), target=target), first_block=0, ends_before=8)
    end = store.label_end[rows, target.horizon_index] + embargo
    assert taken.usable_from is not None
    assert (store.timestamps[taken.usable_from] > end).all()
    assert (store.timestamps[taken.usable_from - 1] <= end).all()
    assert (taken.usable_from > taken.time + 7).all()

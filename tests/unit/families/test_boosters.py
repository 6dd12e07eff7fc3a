from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.shared.boosters import joined
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
BOOSTERS = ["LightGBM", "XGBoost"]


def test_joined_rows_are_sorted_by_symbol_and_time_and_stay_together(make_rows: MakeRows) -> None:
    first, second = make_rows(Task.REGRESSION, 41, seed=1), make_rows(Task.REGRESSION, 30, seed=2)
    both = joined(first, second)
    assert len(both) == 71
    place = np.lexsort((both.time, both.symbol))
    np.testing.assert_array_equal(place, np.arange(71))
    expected = {(*f.tolist(), y) for part in (first, second) for f, y in zip(part.features, part.labels, strict=True)}
    assert {(*f.tolist(), y) for f, y in zip(both.features, both.labels, strict=True)} == expected
    np.testing.assert_array_equal(both.usable_from, both.time + 1)
    assert joined(replace(first, usable_from=None), second).usable_from is None


@pytest.mark.parametrize("name", BOOSTERS)
def test_boosting_stops_where_the_validation_loss_stops_falling(
    name: str, make_rows: MakeRows, make_context: MakeContext
) -> None:
    family = FAMILIES.get(name)
    train, validation = make_rows(Task.BINARY, 800, seed=1), make_rows(Task.BINARY, 300, seed=2)
    stopped = family().fit(train, validation, context=make_context(family, Task.BINARY, rounds=400))
    assert 1 <= int(stopped.details["rounds"]) < 400
    alone = family().fit(train, make_rows(Task.BINARY, 0, seed=2), context=make_context(family, Task.BINARY))
    assert alone.details["rounds"] == family.hyperparameters["rounds_without_validation"]


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_refit_learns_from_the_validation_rows(name: str, make_rows: MakeRows, make_context: MakeContext) -> None:
    family = FAMILIES.get(name)
    train, validation = make_rows(Task.BINARY, 800, seed=1), make_rows(Task.BINARY, 300, seed=2)
    rows = make_rows(Task.BINARY, 500, seed=3)
    fits = {
        refit: family().fit(train, validation, context=make_context(family, Task.BINARY, refit=refit))
        for refit in (False, True)
    }
    assert fits[True].details["rounds"] == fits[False].details["rounds"]
    assert not np.array_equal(fits[True].predict(rows), fits[False].predict(rows))
    again = family().fit(
        joined(train, validation),
        make_rows(Task.BINARY, 0, seed=2),
        context=make_context(family, Task.BINARY, rounds_without_validation=int(fits[True].details["rounds"])),
    )
    np.testing.assert_array_equal(fits[True].predict(rows), again.predict(rows))

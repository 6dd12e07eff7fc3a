"""What every family that reads sequences must do beside the checks of all families."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from trainroute.families import FAMILIES, Family, FittedModel, TrainingRows
from trainroute.metrics import concordance
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
FittedOnSequences = Callable[[type[Family]], FittedModel]

SEQUENCE_FAMILIES = [family for family in FAMILIES.members() if "sequence_length" in family.hyperparameters]
every_sequence_family = pytest.mark.parametrize("family", SEQUENCE_FAMILIES, ids=lambda family: family.name)


def _changed(rows: TrainingRows, which: slice | int) -> TrainingRows:
    features = rows.features.copy()
    features[which] += 2.0
    return replace(rows, features=features)


def test_the_sequence_families_are_found() -> None:
    assert {"CNN1D", "LSTM", "Transformer"} <= {family.name for family in SEQUENCE_FAMILIES}
    assert all(family.reads_history for family in SEQUENCE_FAMILIES)


@every_sequence_family
def test_learns_a_signal_that_only_a_sequence_shows(
    family: type[Family], fitted_on_sequences: FittedOnSequences, make_sequence_rows: MakeRows
) -> None:
    rows = make_sequence_rows(4000, seed=9)
    assert concordance(fitted_on_sequences(family).predict(rows), rows.labels) > 0.64


@pytest.mark.parametrize("name", ["LightGBM", "TabTransformer"])
def test_a_family_that_reads_single_rows_cannot_see_it(
    name: str, fitted_on_sequences: FittedOnSequences, make_sequence_rows: MakeRows
) -> None:
    rows = make_sequence_rows(4000, seed=9)
    model = fitted_on_sequences(FAMILIES.get(name))
    assert concordance(model.predict(rows), rows.labels) == pytest.approx(0.5, abs=0.03)


@every_sequence_family
def test_a_row_reads_its_sequence_and_no_row_before_or_after(
    family: type[Family], fitted_on_sequences: FittedOnSequences, make_sequence_rows: MakeRows
) -> None:
    rows, length = make_sequence_rows(200, seed=4), int(family.hyperparameters["sequence_length"] or 0)
    model = fitted_on_sequences(family)
    differs = model.predict(_changed(rows, 40)) != model.predict(rows)
    np.testing.assert_array_equal(np.flatnonzero(differs), np.arange(40, 40 + length))


@every_sequence_family
def test_a_sequence_ends_at_a_gap(
    family: type[Family], fitted_on_sequences: FittedOnSequences, make_sequence_rows: MakeRows
) -> None:
    model, rows = fitted_on_sequences(family), make_sequence_rows(200, seed=4)
    longest = int(family.hyperparameters["max_gap"] or 0)
    for step, crosses in ((longest, True), (longest + 1, False)):
        time = rows.time.copy()
        time[40:100] += step - 1
        apart = replace(rows, time=time)
        differs = model.predict(_changed(apart, slice(25, 40))) != model.predict(apart)
        assert differs[25:40].all()
        assert differs[40:].any() == crosses


@every_sequence_family
def test_a_sequence_ends_at_a_symbol(
    family: type[Family], fitted_on_sequences: FittedOnSequences, make_sequence_rows: MakeRows
) -> None:
    model, rows = fitted_on_sequences(family), make_sequence_rows(200, seed=4)
    one_symbol = replace(rows, symbol=np.zeros(200, dtype=np.int32), time=np.arange(200, dtype=np.int32))
    for given, crosses in ((rows, False), (one_symbol, True)):
        differs = model.predict(_changed(given, slice(85, 100))) != model.predict(given)
        assert differs[85:100].all()
        assert differs[100:].any() == crosses


@every_sequence_family
def test_a_row_is_predicted_alike_wherever_it_stands(
    family: type[Family], fitted_on_sequences: FittedOnSequences, make_sequence_rows: MakeRows
) -> None:
    model, rows = fitted_on_sequences(family), make_sequence_rows(1400, seed=4)
    whole = model.predict(rows)
    for first in (3, 90, 333):
        part = replace(
            rows,
            features=rows.features[first:],
            labels=rows.labels[first:],
            symbol=rows.symbol[first:],
            time=rows.time[first:],
        )
        np.testing.assert_array_equal(model.predict(part)[20:], whole[first + 20 :])


def test_the_task_of_these_checks_is_done_by_all() -> None:
    assert all(Task.REGRESSION in family.tasks for family in SEQUENCE_FAMILIES)

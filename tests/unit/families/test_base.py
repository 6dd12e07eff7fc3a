from collections.abc import Callable

import numpy as np
import pytest

from trainroute.errors import ConfigError, TrainingError
from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.records.vocabulary import Task, TrainingType

LIGHTGBM = FAMILIES.get("LightGBM")


def test_overrides_replace_defaults() -> None:
    resolved = LIGHTGBM.resolve({"rounds": 7, "learning_rate": 1})
    assert resolved == {**LIGHTGBM.hyperparameters, "rounds": 7, "learning_rate": 1}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"learning_rte": 0.1}, r"hyperparameters.learning_rte: unknown hyperparameter; did you mean 'learning_rate'"),
        ({"zzz": 0.1}, r"unknown hyperparameter; known: bins, feature_fraction"),
        ({"rounds": 0.5}, r"hyperparameters.rounds: expected int such as 300, got 0.5"),
        ({"rounds": True}, r"expected int such as 300, got True"),
        ({"refit": 1}, r"expected bool such as True, got 1"),
        ({"rounds": None}, r"expected int such as 300, got None"),
        ({"leaves": 2**31}, r"hyperparameters.leaves: expected a whole number of at most 2147483647, got 2147483648"),
        ({"leaves": -(2**31)}, r"expected a whole number of at most 2147483647, got -2147483648"),
        ({"learning_rate": 10**400}, r"expected a whole number of at most 2147483647, got 1000"),
        ({"learning_rate": "fast"}, r"expected float such as 0.1, got 'fast'"),
    ],
)
def test_wrong_overrides_name_the_key(override: dict[str, float | str | bool | None], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LIGHTGBM.resolve(override)


def test_a_family_says_why_it_cannot_do_a_job() -> None:
    class Narrow(LIGHTGBM):  # type: ignore[misc, valid-type]
        name = "Narrow"
        tasks = frozenset({Task.BINARY})
        training_types = frozenset({TrainingType.CROSS_SECTIONAL})
        min_rows = 100

    pooled, local = TrainingType
    assert Narrow.unfit_reason(task=Task.BINARY, training_type=pooled, n_rows=100) is None
    assert Narrow.unfit_reason(task=Task.BINARY, training_type=pooled, n_rows=None) is None
    assert "needs 100 rows, got 99" in Narrow.unfit_reason(task=Task.BINARY, training_type=pooled, n_rows=99)
    assert "symbol_specific" in Narrow.unfit_reason(task=Task.BINARY, training_type=local, n_rows=100)
    assert "regression" in Narrow.unfit_reason(task=Task.REGRESSION, training_type=pooled, n_rows=100)


def test_missing_libraries_are_found_without_importing_them() -> None:
    class Wanting(LIGHTGBM):  # type: ignore[misc, valid-type]
        requires = ("lightgbm", "no_such_library_at_all")
        extra = "deep"

    assert Wanting.missing_libraries() == ("no_such_library_at_all",)
    assert Wanting.install_hint() == "pip install 'trainroute[deep]'"
    assert LIGHTGBM.missing_libraries() == ()


def test_labels_that_are_not_numbers_are_refused(
    make_rows: Callable[..., TrainingRows], make_context: Callable[..., FitContext]
) -> None:
    rows = make_rows(Task.BINARY, 400, seed=1)
    rows.labels[5] = np.nan
    with pytest.raises(TrainingError, match="labels hold NaN or infinite"):
        LIGHTGBM().fit(rows, rows, context=make_context(LIGHTGBM, Task.BINARY))

"""Which families a job gets: by capability and settings, never by what is installed."""

from pathlib import Path
from typing import ClassVar

import msgspec
import polars as pl
import pytest

from trainroute.config.schema import PlanningConfig
from trainroute.errors import UnknownNameError
from trainroute.families import Family, FitContext, FittedModel, TrainingRows
from trainroute.plan.families import assign_families, resolve
from trainroute.records.plan import FeatureSet
from trainroute.records.vocabulary import Stage, Task, TrainingType


class _Fake(Family):
    """Enough of a family to be planned."""

    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 1

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        raise NotImplementedError

    def load(self, folder: Path) -> FittedModel:
        raise NotImplementedError


class _Small(_Fake):
    name: ClassVar[str] = "Small"
    fixed_seconds: ClassVar[float] = 1.0
    seconds_per_million_rows: ClassVar[float] = 10.0


class _Hungry(_Fake):
    name: ClassVar[str] = "Hungry"
    min_rows: ClassVar[int] = 5000
    seconds_per_million_rows: ClassVar[float] = 100.0


class _Classifier(_Fake):
    name: ClassVar[str] = "Classifier"
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.BINARY})
    seconds_per_million_rows: ClassVar[float] = 5.0


class _Pooled(_Fake):
    name: ClassVar[str] = "Pooled"
    training_types: ClassVar[frozenset[TrainingType]] = frozenset({TrainingType.CROSS_SECTIONAL})
    requires: ClassVar[tuple[str, ...]] = ("a_module_that_nobody_has",)
    seconds_per_million_rows: ClassVar[float] = 50.0


ALL = (_Small, _Hungry, _Classifier, _Pooled)
JOB = {
    "task_type": "binary",
    "training_type": "cross_sectional",
    "route": "ROUTE_CROSS_SECTIONAL",
    "sample_size": 9000,
    "priority": 540,
    "feature_set_id": None,
}


def _assigned(planning: PlanningConfig | None = None, **changed: object) -> dict[str, object]:
    jobs = pl.DataFrame([JOB | changed], schema_overrides={"feature_set_id": pl.String, "task_type": pl.String})
    sets = {"fs": FeatureSet(features=tuple("abcdefghij"))}
    return assign_families(jobs, ALL, planning or PlanningConfig(), sets).row(0, named=True)


@pytest.mark.parametrize(
    ("changed", "families", "left_out"),
    [
        ({}, ["Small", "Hungry", "Classifier", "Pooled"], {}),
        ({"sample_size": 5000}, ["Small", "Hungry", "Classifier", "Pooled"], {}),
        ({"sample_size": 4999}, ["Small", "Classifier", "Pooled"], {"Hungry": "Hungry needs 5000 rows"}),
        ({"sample_size": None}, ["Small", "Hungry", "Classifier", "Pooled"], {}),
        (
            {"task_type": "regression"},
            ["Small", "Hungry", "Pooled"],
            {"Classifier": "Classifier does not do regression"},
        ),
        ({"task_type": None}, ["Small", "Hungry", "Classifier", "Pooled"], {}),
        (
            {"training_type": "symbol_specific"},
            ["Small", "Hungry", "Classifier"],
            {"Pooled": "Pooled does not train symbol_specific jobs"},
        ),
        (
            {"training_type": "symbol_specific", "task_type": None},
            ["Small", "Hungry", "Classifier"],
            {"Pooled": "Pooled does not train symbol_specific jobs"},
        ),
        ({"sample_size": 0}, [], dict.fromkeys(("Small", "Hungry", "Classifier", "Pooled"), "rows")),
    ],
)
def test_capability(changed: dict[str, object], families: list[str], left_out: dict[str, str]) -> None:
    found = _assigned(**changed)
    assert found["model_families"] == families
    why = msgspec.json.decode(str(found["families_left_out"]))
    assert set(why) == set(left_out)
    assert all(left_out[name] in why[name] for name in why)


def test_experimental_jobs_get_the_families_of_the_lane() -> None:
    lane = PlanningConfig(experimental_families=("LightGBM",))
    found = _assigned(lane, route="ROUTE_EXPERIMENTAL_ONLY")
    # None of the lane's was asked for, so the cheapest trains.
    assert found["model_families"] == ["Classifier"]
    assert msgspec.json.decode(str(found["families_left_out"]))["Small"] == "not for experimental jobs"


def test_a_family_may_ask_for_a_priority() -> None:
    for priority, families in ((399, 2), (400, 3)):
        jobs = pl.DataFrame([JOB | {"priority": priority}], schema_overrides={"feature_set_id": pl.String})
        asked = resolve(["LightGBM", "XGBoost", "Ensemble"])
        planning = PlanningConfig(family_min_priority={"xgboost": 400})
        found = assign_families(jobs, asked, planning, {}).row(0, named=True)
        assert len(found["model_families"]) == families
    with pytest.raises(UnknownNameError):
        assign_families(jobs, asked, PlanningConfig(family_min_priority={"XGBost": 1}), {})


def test_the_cost_is_a_fixed_formula() -> None:
    jobs = pl.DataFrame([JOB, JOB | {"feature_set_id": "fs"}, JOB | {"sample_size": None}])
    sets = {"fs": FeatureSet(features=tuple("abcdefghij"))}
    found = assign_families(jobs, (_Small, _Hungry), PlanningConfig(), sets)["estimated_cost_seconds"].to_list()
    assert found[0] == pytest.approx(1.0 + 110.0 * 9000 / 1e6, abs=1e-3)
    assert found[1] == pytest.approx(1.0 + 11.0 * 9000 / 1e6, abs=1e-3)
    assert found[2] == 1.0


def test_what_is_not_installed_is_planned_all_the_same() -> None:
    assert "Pooled" in _assigned()["model_families"]  # type: ignore[operator]


def test_the_cheapest_is_so_by_its_seconds_and_not_by_its_name() -> None:
    jobs = pl.DataFrame([JOB | {"route": "ROUTE_EXPERIMENTAL_ONLY"}], schema_overrides={"feature_set_id": pl.String})
    planning = PlanningConfig(experimental_families=("LightGBM",))
    found = assign_families(jobs, (_Hungry, _Small), planning, {}).row(0, named=True)
    assert found["model_families"] == ["Small"]

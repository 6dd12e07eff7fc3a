import pytest
from pydantic import ValidationError

from trainroute.config.schema import FamilyConfig, ResourceConfig, TrainingConfig
from trainroute.errors import ConfigError
from trainroute.families import FAMILIES
from trainroute.records.results import FailureKind
from trainroute.train.settings import family_settings


def test_a_family_has_the_common_settings_unless_it_has_its_own() -> None:
    own = FamilyConfig(threads=3, memory_limit_mb=10, time_limit_minutes=0.5, attempts=7, hyperparameters={"rounds": 9})
    config = TrainingConfig(threads_per_worker=2, memory_limit_mb=100, attempts=1, families={"lightgbm": own})
    found = family_settings(["LightGBM", "XGBoost"], config)
    special, common = found["LightGBM"], found["XGBoost"]
    assert (special.resources.threads, special.resources.memory_bytes) == (3, 10 << 20)
    assert (special.resources.seconds, special.attempts, special.hyperparameters["rounds"]) == (30.0, 7, 9)
    assert (common.resources.threads, common.resources.memory_bytes) == (2, 100 << 20)
    assert (common.resources.seconds, common.attempts) == (3600.0, 1)
    assert common.hyperparameters == FAMILIES.get("XGBoost").hyperparameters


def test_settings_of_a_family_of_a_later_version_are_allowed() -> None:
    config = TrainingConfig(families={"LSTM": FamilyConfig(threads=2)})
    assert set(family_settings(["LightGBM"], config)) == {"LightGBM"}


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ({"LigthGBM": FamilyConfig()}, r"training.families: unknown model family 'LigthGBM'; did you mean 'LightGBM'"),
        ({"LightGBM": FamilyConfig(), "lightgbm": FamilyConfig()}, r"LightGBM stands there twice"),
        ({"LightGBM": FamilyConfig(hyperparameters={"leafs": 3})}, r"hyperparameters.leafs: .* did you mean 'leaves'"),
    ],
)
def test_wrong_settings_name_the_key(families: dict[str, FamilyConfig], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        family_settings(["LightGBM"], TrainingConfig(families=families))


def test_resources_are_those_of_the_highest_priority_that_is_reached() -> None:
    own = FamilyConfig(
        threads=2,
        memory_limit_mb=50,
        from_priority={
            100: ResourceConfig(threads=4),
            500: ResourceConfig(memory_limit_mb=80, time_limit_minutes=2.0),
        },
    )
    found = family_settings(["LightGBM"], TrainingConfig(families={"LightGBM": own}))["LightGBM"]
    assert [found.resources_at(priority).threads for priority in (99, 100, 499, 500)] == [2, 4, 4, 2]
    assert found.resources_at(500).memory_bytes == 80 << 20
    assert found.resources_at(500).seconds == 120.0
    assert found.resources_at(499).memory_bytes == 50 << 20


def test_what_follows_a_failure_may_differ_per_family() -> None:
    own = FamilyConfig(retry_on=("time_limit",), on_failure="stop")
    found = family_settings(["LightGBM", "XGBoost"], TrainingConfig(families={"LightGBM": own}))
    assert (found["LightGBM"].retry_on, found["LightGBM"].stops_run) == ({FailureKind.TIME_LIMIT}, True)
    assert found["XGBoost"].retry_on == {FailureKind.ERROR, FailureKind.DIED}
    assert not found["XGBoost"].stops_run
    never = TrainingConfig(families={"LightGBM": FamilyConfig(retry_on=())})
    assert not family_settings(["LightGBM"], never)["LightGBM"].retry_on


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_failure": "ignore"},
        {"retry_on": ["refused"]},
        {"memory_mb": -1},
        {"workers_per_gpu": 0},
        {"families": {"LightGBM": {"from_priority": {"high": {}}}}},
        {"families": {"LightGBM": {"from_priority": {100: {"attempts": 2}}}}},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingConfig.model_validate(wrong)

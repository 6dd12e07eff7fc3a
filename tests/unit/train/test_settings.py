import pytest

from trainroute.config.schema import FamilyConfig, TrainingConfig
from trainroute.errors import ConfigError
from trainroute.families import FAMILIES
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

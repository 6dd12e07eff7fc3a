"""What is checked before any work: settings, the names in them, and places."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainroute import pipeline
from trainroute.errors import ConfigError, DataError, UsageError

Command = Callable[..., object]


def _run(**given: Any) -> object:
    return pipeline.run("absent", **given)


def _train(**given: Any) -> object:
    return pipeline.train("absent", no_training_plan=True, **given)


def _route(**given: Any) -> object:
    return pipeline.route("absent.csv", **given)


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", [_run, _train, _route])
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"planning": {"standard_families": ["LightGMB"]}}, "planning.standard_families: unknown model family"),
        (
            {"planning": {"experimental_families": ["LightGBM", "XGBost"]}},
            "planning.experimental_families: unknown model family 'XGBost'; did you mean 'XGBoost'?",
        ),
        ({"planning": {"family_min_priority": {"Nope": 3}}}, "planning.family_min_priority: unknown model family"),
        ({"training": {"families": {"LigthGBM": {}}}}, "training.families: unknown model family 'LigthGBM'"),
        (
            {"training": {"families": {"XGBoost": {"hyperparameters": {"round": 3}}}}},
            "training.families.XGBoost.hyperparameters.round: ",
        ),
    ],
)
def test_names_in_the_settings_are_resolved_before_anything_is_read(
    command: Command, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        command(config=config, families=["LightGBM"])
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_names_in_the_settings_may_be_of_any_case() -> None:
    planning = {"standard_families": ["lightgbm"], "family_min_priority": {"XGBOOST": 3}}
    with pytest.raises(DataError, match="absent: no such directory"):
        _run(config={"planning": planning, "training": {"families": {"lightgbm": {"threads": 1}}}})


@pytest.mark.parametrize("command", [pipeline.run, pipeline.train])
@pytest.mark.parametrize(
    ("data", "output", "message"),
    [
        ("data", "data", "--output-dir data lies in --data-dir data"),
        ("data", "data/deep/results", "--output-dir data/deep/results lies in --data-dir data"),
        ("data", "other/../data/results", "lies in --data-dir data"),
        ("data", "link", "--output-dir link lies in --data-dir data"),
        (".", "results", "--output-dir results lies in --data-dir ."),
        ("results/METRICS", "results", "--data-dir results/METRICS lies in results/METRICS"),
        ("results/globals/data", "results", "lies in results/globals"),
        ("results/models/data", "results", "lies in results/models"),
    ],
)
def test_output_is_never_read_as_data(command: Command, data: str, output: str, message: str) -> None:
    Path("data").mkdir()
    Path("link").symlink_to("data")
    with pytest.raises(UsageError) as raised:
        command(data, output_dir=output)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(Path("data").iterdir()) == []


@pytest.mark.parametrize(("data", "output"), [("data", "data2"), ("results/data", "results"), ("a/data", "a/results")])
def test_places_beside_each_other_are_fine(data: str, output: str) -> None:
    with pytest.raises(DataError, match="no such directory"):
        pipeline.run(data, output_dir=output)

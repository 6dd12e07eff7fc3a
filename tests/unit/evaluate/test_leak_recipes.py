"""Features with a registered recipe are proved by computing them again from what was known."""

from pathlib import Path

import leak_recipes
import numpy as np
import polars as pl
import pytest

from trainroute.config import Config, parse_config
from trainroute.errors import ConfigError, DataError
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage import LEAK_CHECKS, LeakContext
from trainroute.panel import load_panel, walk_forward
from trainroute.records.vocabulary import LeakageStatus


def with_feature(name: str) -> pl.DataFrame:
    """A panel whose column x is what the recipe gives on all of the history, the future included."""
    history = leak_recipes.history(seed=3)
    return history.join(getattr(leak_recipes, name)(history), on=("symbol", "ts"))


def findings(tmp_path: Path, frame: pl.DataFrame, place: str, feature: str = "x") -> list[LeakFinding]:
    data = tmp_path / "data"
    data.mkdir()
    frame.write_parquet(data / "panel.parquet")
    config = parse_config(f'leakage: {{recipes: {{{feature}: "{place}"}}}}', "test")
    panel = load_panel(data, config.data)
    context = LeakContext(
        panel=panel, split=walk_forward(panel, Config()), config=config, data_dir=data, strength=np.zeros((1, 1))
    )
    return list(LEAK_CHECKS.get("recipes")().find(context))


@pytest.mark.parametrize("name", leak_recipes.LEAKY)
def test_a_recipe_that_needs_the_future_is_proof(tmp_path: Path, name: str) -> None:
    (found,) = findings(tmp_path, with_feature(name), f"leak_recipes:{name}")
    assert (found.feature, found.target, found.status) == ("x", None, LeakageStatus.BLOCKED)
    assert "change when later bars are cut off" in found.detail


@pytest.mark.parametrize("name", leak_recipes.HONEST)
def test_an_honest_recipe_passes(tmp_path: Path, name: str) -> None:
    assert findings(tmp_path, with_feature(name), f"leak_recipes:{name}") == []


def test_stored_values_that_the_recipe_does_not_give_are_proof(tmp_path: Path) -> None:
    wrong = with_feature("momentum").with_columns(pl.col("x").shift(-1).over("symbol"))
    assert len(findings(tmp_path, wrong, "leak_recipes:momentum")) == 1


@pytest.mark.parametrize("place", ["no_such_module_at_all:f", "leak_recipes:absent", "leak_recipes:LEAKY"])
def test_a_recipe_that_cannot_be_loaded_is_an_error(tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigError, match=rf"leakage\.recipes: .*'{place}' for x"):
        findings(tmp_path, with_feature("momentum"), place)


def test_a_recipe_that_does_not_return_its_feature_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="recipe of x returned no column 'x'"):
        findings(tmp_path, with_feature("momentum"), "leak_recipes:without_the_feature")


def test_a_recipe_of_an_unknown_feature_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"leakage\.recipes: no such feature: momentun"):
        findings(tmp_path, with_feature("momentum"), "leak_recipes:momentum", "momentun")


@pytest.mark.parametrize("place", ["module", "module:", "a b:c", ":f"])
def test_a_place_that_is_no_module_and_function_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match=r"leakage\.recipes"):
        parse_config(f'leakage: {{recipes: {{x: "{place}"}}}}', "test")

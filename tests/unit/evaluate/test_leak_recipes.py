"""Features with a registered recipe are proved by computing them again from what was known."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import leak_recipes
import numpy as np
import polars as pl
import pytest

from trainroute.config import Config, parse_config
from trainroute.errors import ConfigError, DataError
from trainroute.evaluate import evidence_key
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


def test_a_recipe_of_a_feature_that_was_not_asked_for_is_left_alone(tmp_path: Path) -> None:
    assert findings(tmp_path, with_feature("next_close"), "leak_recipes:next_close", "unasked") == []


@pytest.fixture
def my_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a module that can be imported as ``my_recipes``; forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "my_recipes.py"
    sys.modules.pop("my_recipes", None)


def key_of(places: dict[str, str]) -> str:
    """The evidence key that a fresh process would have."""
    sys.modules.pop("my_recipes", None)
    importlib.invalidate_caches()
    config = parse_config(f"leakage: {{recipes: {json.dumps(places)}}}", "test")
    asked = {"symbols": None, "targets": None, "features": None, "top_n_targets": None, "top_m_features": None}
    return evidence_key("data", config, **asked)


def test_a_changed_recipe_changes_the_key_of_the_cache(my_recipes: Path) -> None:
    my_recipes.write_text("def f(known): return known")
    first = key_of({"x": "my_recipes:f"})
    assert key_of({"x": "my_recipes:f"}) == first
    my_recipes.write_text("def f(known): return known.reverse()  # other bytes, other key")
    assert key_of({"x": "my_recipes:f"}) != first


def test_a_recipe_that_a_module_only_passes_on_is_known_by_its_own_file(my_recipes: Path, tmp_path: Path) -> None:
    my_recipes.write_text("from behind_my_recipes import f")
    behind = tmp_path / "behind_my_recipes.py"
    keys = []
    for body in ("return known", "return known.reverse()"):
        behind.write_text(f"def f(known): {body}")
        sys.modules.pop("behind_my_recipes", None)
        keys.append(key_of({"x": "my_recipes:f"}))
    assert len(set(keys)) == 2


def test_a_recipe_that_is_an_object_or_built_in_has_a_key(my_recipes: Path) -> None:
    my_recipes.write_text(
        "from dataclasses import dataclass\n@dataclass\nclass R:\n n: int\n def __call__(self, known): ...\nf = R(3)"
    )
    assert key_of({"x": "my_recipes:f"}) == key_of({"x": "my_recipes:f"})
    assert key_of({"x": "builtins:print"}) == key_of({"x": "builtins:print"})


def test_a_recipe_that_cannot_be_loaded_is_an_error_before_anything_is_measured() -> None:
    with pytest.raises(ConfigError, match=r"leakage\.recipes: cannot load 'no_such_module_at_all:f' for x"):
        key_of({"x": "no_such_module_at_all:f"})


@pytest.mark.parametrize("place", ["module", "module:", "a b:c", ":f"])
def test_a_place_that_is_no_module_and_function_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match=r"leakage\.recipes"):
        parse_config(f'leakage: {{recipes: {{x: "{place}"}}}}', "test")

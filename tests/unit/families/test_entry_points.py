"""A family from another distribution: one file and an entry point, nothing else edited."""

import importlib
import sys
from pathlib import Path

import pytest

from trainroute.families import FAMILIES, Family
from trainroute.registry import Registry

MODULE = """
from trainroute.families.lightgbm import LightGBM


class Guest(LightGBM):
    name = "Guest"
"""


def _registry() -> Registry[Family]:
    return Registry("model family", "trainroute.families", Family, entry_point_group="trainroute.families")


def _install(folder: Path, module: str, source: str, entry: str) -> None:
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[trainroute.families]\n{entry}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path


@pytest.mark.parametrize("entry", ["guest = guest_one:Guest", "guest = guest_one"])
def test_an_entry_point_adds_a_family(site: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    _install(site, "guest_one", MODULE, entry)
    found = _registry()
    assert found.names() == tuple(sorted((*FAMILIES.names(), "Guest")))
    assert found.get("guest").name == "Guest"
    monkeypatch.delitem(sys.modules, "guest_one")


def test_an_entry_point_cannot_take_a_name_that_is_in_use(site: Path) -> None:
    _install(site, "guest_two", MODULE.replace('"Guest"', '"lightGBM"'), "guest = guest_two")
    with pytest.raises(ValueError, match=r"two members of trainroute.families are named 'lightGBM'"):
        _registry().names()


def test_an_entry_point_must_be_a_family(site: Path) -> None:
    _install(site, "guest_three", "Guest = 3", "guest = guest_three:Guest")
    with pytest.raises(TypeError, match=r"entry point 'guest' of trainroute.families is not a model family"):
        _registry().names()

"""The command `families`."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainroute.families import FAMILIES, describe_families, two_stage_order

Program = Callable[..., Any]


def test_every_family_stands_in_the_table_in_two_stage_order(program: Program) -> None:
    ended = program("families")
    assert ended.code == 0
    first = [line.split()[0] for line in ended.out.splitlines() if line.strip()]
    assert [name for name in first if name in FAMILIES.names()] == list(two_stage_order(FAMILIES.names()))


def test_json_holds_everything(program: Program) -> None:
    found = {entry["name"]: entry for entry in json.loads(program("families", "--format", "json").out)}
    assert set(found) == set(FAMILIES.names())
    for name, entry in found.items():
        family = FAMILIES.get(name)
        assert entry["hyperparameters"] == dict(family.hyperparameters)
        assert (entry["stage"], entry["min_rows"]) == (family.stage.value, family.min_rows)
        assert set(entry["tasks"]) == set(family.tasks)
        assert entry["installed"] == (not family.missing_libraries())
        assert (entry["reads_history"], entry["needs"]) == (family.reads_history, list(family.requires))


def test_markdown_is_the_same_table_and_one_family_brings_its_hyperparameters(program: Program) -> None:
    rows = [line.split("|")[1].strip() for line in program("families", "--format", "markdown").out.splitlines()]
    assert tuple(rows) == ("family", "---", *two_stage_order(FAMILIES.names()))
    out = program("families", "FTRLProximal", "--format", "markdown").out
    assert "| FTRLProximal | cpu | b m r | pooled, local | 200 |" in out
    assert "| alpha | 0.05 |" in out


def test_one_family_is_shown_wholly_whatever_its_case(program: Program) -> None:
    out = program("families", "lightgbm").out
    assert out.startswith("LightGBM: cpu stage\n")
    for name, value in FAMILIES.get("LightGBM").hyperparameters.items():
        assert f"    {name}: {str(value).lower() if isinstance(value, bool) else value}\n" in out


def test_an_unknown_family_is_one_line_with_a_suggestion(program: Program) -> None:
    ended = program("families", "LigthGBM")
    assert (ended.code, ended.error) == (2, "unknown model family 'LigthGBM'; did you mean 'LightGBM'?")


def test_a_family_without_its_library_says_how_to_install_it(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    family = FAMILIES.get("NGBoost")
    monkeypatch.setattr(family, "requires", ("ngboost_is_not_here",))
    assert "installed: no, pip install 'trainroute[cpu]'" in program("families", "NGBoost").out
    assert "for NGBoost: pip install 'trainroute[cpu]'" in program("families").out.splitlines()
    (found,) = describe_families(["NGBoost"])
    assert (found.installed, found.missing) == (False, ("ngboost_is_not_here",))


def test_no_library_of_a_family_is_imported() -> None:
    code = (
        "import sys; from trainroute.cli.app import build_app; from trainroute.cli.entry import run_app\n"
        "run_app(build_app(), ['families', '--format', 'json'])\n"
        "print(sorted({'lightgbm', 'xgboost', 'torch', 'keras', 'ngboost', 'sklearn', 'ruptures'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_family_of_an_entry_point_is_listed(tmp_path: Path) -> None:
    """As another distribution would add it: one file and one entry point."""
    (tmp_path / "mine.py").write_text(
        "from trainroute.families.lightgbm import LightGBM\nclass Mine(LightGBM):\n    name = 'Mine'\n"
    )
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trainroute.families]\nmine = mine\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from trainroute.cli import main; main(['families', 'mine'])"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Mine: cpu stage\n")

"""Every example of the docs: Python blocks run as they stand, commands are commands that exist."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainroute import pipeline
from trainroute.cli.app import build_app, build_compatibility_app

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
ELSEWHERE = {"families", "panel", "prepare"}  # beside the tests of these packages
BLOCK = re.compile(r"```python\n(.*?)```", flags=re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?((?:trainroute|python -m TRAINING\S*) [^#>\n]*)", flags=re.MULTILINE)


def _commands() -> list[str]:
    return sorted({match.strip() for page in PAGES for match in COMMAND.findall(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("line", _commands())
def test_a_command_in_the_docs_is_one_that_exists(line: str) -> None:
    words = shlex.split(line)
    app, tokens = (build_app(), words[1:]) if words[0] == "trainroute" else (build_compatibility_app(), words[2:])
    if tokens != ["--help"]:
        app.parse_args(tokens, exit_on_error=False, print_error=False)


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS if page.stem != "index" and f"({page.name})" not in index] == []


@pytest.fixture(scope="module")
def planned(new_short_workplace) -> Path:
    """Data, and a plan for three of the symbols."""
    place = new_short_workplace()
    pipeline.run(
        place.data,
        symbols=("AAPL", "JPM", "MSFT"),
        targets=("y_high_vol_20d", "y_up_5d"),
        families=["LightGBM", "XGBoost"],
        output_dir=place.results,
        config=place.settings,
        skip_training=True,
    )
    return place.path


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in ELSEWHERE], ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_in_their_order(
    page: Path, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(planned, tmp_path / "place"))
    names: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, page.name, "exec"), names)  # noqa: S102 - the docs are ours


ASKING = {"diff", "explain", "families", "show"}


def _asks(line: str) -> bool:
    """Whether a command only asks about plans that are there."""
    words = line.split()
    trial = words[1] == "route" and ("--set" in words or "--sweep" in words or "--dry-run" in words)
    return words[0] == "trainroute" and (trial or words[1] in ASKING)


@pytest.mark.slow
def test_commands_that_ask_answer_as_they_stand(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[..., Any]
) -> None:
    """With the settings that nobody changed; a value that these do not allow would be refused."""
    monkeypatch.chdir(shutil.copytree(planned, tmp_path / "place"))
    for copy in ("other", "last"):
        shutil.copytree("results", copy)
    shutil.copy("results/METRICS/routing_candidates.parquet", "table.parquet")
    asked = [line.replace("table.csv", "table.parquet") for line in _commands() if _asks(line)]
    assert len(asked) > 10
    ended = {line: program(*shlex.split(line)[1:]) for line in asked}
    assert {line: end.err for line, end in ended.items() if end.code} == {}
    assert all("cannot be set" not in end.out and "strong_score" not in end.out for end in ended.values())

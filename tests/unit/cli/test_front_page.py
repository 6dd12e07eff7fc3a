"""The help page of the program: as the library would draw it, and never in its way."""

import io
import os
import subprocess
import sys

import pytest
from cyclopts import App
from rich.console import Console

from trainroute.cli import front_page
from trainroute.cli.app import build_app
from trainroute.cli.commands import COMMANDS
from trainroute.config.terminal import wants_colors

PROGRAM = [sys.executable, "-m", "trainroute"]


def _drawn_by_library(app: App, width: int, *, colors: bool) -> list[str]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=colors, color_system="standard" if colors else None, legacy_windows=False
    )
    app.help_print([], console=console)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("colors", [True, False])
def test_it_is_what_the_library_draws(*, colors: bool) -> None:
    app = build_app()
    for width in (*range(40, 125), 200, 1000):
        assert list(front_page.page(width, colors=colors)) == _drawn_by_library(app, width, colors=colors)


def _printed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", *environment}}
    return subprocess.run(
        [*PROGRAM, *arguments], env=kept | environment, capture_output=True, text=True, timeout=60, check=True
    )


@pytest.mark.parametrize("asked", [[], ["--help"], ["-h"]])
def test_every_way_to_ask_for_it(asked: list[str]) -> None:
    done = _printed(*asked)
    assert (done.stdout.splitlines(), done.stderr) == (list(front_page.page(80, colors=False)), "")
    assert all(f"│ {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("7", 40), ("0", 80), ("x", 80), ("-5", 80), ("999", 999)])
def test_the_environment_says_how_wide(columns: str, width: int) -> None:
    assert _printed(COLUMNS=columns).stdout.splitlines() == list(front_page.page(width, colors=False))


@pytest.mark.parametrize(
    ("environment", "colors"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colors_are_for_terminals(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, *, colors: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    assert not wants_colors(stream)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert wants_colors(stream) is not bool(environment.get("NO_COLOR"))
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert wants_colors(stream) is colors


def test_where_its_frame_cannot_be_shown_the_library_draws_another() -> None:
    done = _printed(PYTHONIOENCODING="ascii")
    assert "Compare two plans" in done.stdout
    assert "\\u" not in done.stdout


def test_it_waits_for_no_library() -> None:
    script = (
        "import sys; from trainroute.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print(sorted({'cyclopts', 'rich', 'polars', 'msgspec'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(PROGRAM, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left" in done.stderr

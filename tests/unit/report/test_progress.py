import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from trainroute.report import progress
from trainroute.report.progress import BarProgress, LogProgress, duration, terminal_progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.42, "0.4 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7322, "2 h 2 min")],
)
def test_duration_reads_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_bar_shows_label_count_and_time_left() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with BarProgress(console).step("Reading symbols", 4) as step:
        step.advance(3)
        step.advance()
    shown = screen.getvalue()
    assert "Reading symbols" in shown
    assert "4/4" in shown
    assert "left" in shown


def test_without_a_terminal_a_line_says_how_much_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 40.0, 50.0, 80.0])
    lines: list[str] = []
    logger = SimpleNamespace(info=lambda text, *arguments: lines.append(text % arguments))
    monkeypatch.setattr(progress, "LOGGER", logger)
    with LogProgress(lambda: next(clock)).step("Training", 4) as step:
        step.advance()  # 40 s: a line
        step.advance()  # 10 s later: too soon
        step.advance(2)  # done: the summary says it
    assert lines == ["Training: 1 of 4, about 2 min 0 s left"]


def test_bars_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(terminal_progress(), LogProgress)

import logging

import pytest

from trainroute.logs import LOGGER, configure_logging, ensure_logging

pytestmark = pytest.mark.usefixtures("quiet_logger")


def _forget_all_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave logging as a program that never set it up; pytest has its own handlers during a test."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    LOGGER.handlers.clear()
    LOGGER.propagate = True


def test_lines_are_plain_and_warnings_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    LOGGER.info("Stage 1 (CPU): %d models", 3)
    LOGGER.warning("careful")
    LOGGER.debug("detail")
    assert capsys.readouterr().err == "Stage 1 (CPU): 3 models\nwarning: careful\n"


def test_verbose_shows_details(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(verbose=True)
    LOGGER.debug("detail")
    assert capsys.readouterr().err == "detail\n"


def test_configuring_twice_says_things_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    configure_logging()
    LOGGER.info("once")
    assert capsys.readouterr().err == "once\n"


def test_a_library_call_speaks_where_nobody_set_up_logging(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget_all_logging(monkeypatch)
    ensure_logging()
    LOGGER.info("heard")
    assert capsys.readouterr().err == "heard\n"


def test_a_library_call_leaves_the_callers_logging_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget_all_logging(monkeypatch)
    logging.getLogger().addHandler(logging.NullHandler())
    ensure_logging()
    LOGGER.warning("unheard")
    assert LOGGER.handlers == []
    assert capsys.readouterr().err == ""

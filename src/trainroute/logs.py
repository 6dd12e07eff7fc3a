"""The one logger, ``trainroute``, and how entry points show it. Nothing is configured at import."""

import logging
import sys

from trainroute.text import printable

LOGGER = logging.getLogger("trainroute")


class _StderrHandler(logging.Handler):
    """Writes to what ``sys.stderr`` is at that moment, so that a progress bar can keep its place below the lines."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")
        sys.stderr.flush()


class _PlainFormatter(logging.Formatter):
    """The message itself, on one line; anything above INFO says what it is."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        return printable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {line}"


def configure_logging(*, verbose: bool = False) -> None:
    """Show the lines of ``trainroute`` on stderr; debug lines too if ``verbose``. For programs."""
    for handler in [h for h in LOGGER.handlers if isinstance(h, _StderrHandler)]:
        LOGGER.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(_PlainFormatter())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)
    LOGGER.propagate = False


def ensure_logging() -> None:
    """Show the lines of ``trainroute`` on stderr unless the caller has set up logging. For library calls."""
    if not LOGGER.hasHandlers():
        configure_logging()

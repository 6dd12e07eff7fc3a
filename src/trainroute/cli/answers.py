"""How a command that answers a question prints its answer: text, JSON or Markdown."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from trainroute.cli.options import Whole
from trainroute.text import print_lines

Format = Literal["text", "json", "markdown"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FormatOptions:
    """The form of an answer."""

    format: Format = "text"
    """Text for people, JSON for programs, Markdown for a comment on a pull request."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AnswerOptions(FormatOptions):
    """What an answer looks like."""

    limit: Annotated[Whole, Parameter(validator=lambda _, value: _positive(value))] = 20
    """How many details of a kind to list; counts are of all."""


FORMAT = FormatOptions()
ANSWER = AnswerOptions()


def answer(options: AnswerOptions, *, lines: Sequence[str], document: object, markdown: str) -> None:
    """Print an answer in the form that was asked for."""
    if options.format == "text":
        print_lines(*lines)
    else:
        answer_written(options, document=document, markdown=markdown)


def answer_written(options: FormatOptions, *, document: object, markdown: str) -> None:
    """Print an answer that was asked for as JSON or as Markdown."""
    json = options.format == "json"
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode() if json else markdown.rstrip("\n")
    sys.stdout.write(text + "\n")


def _positive(value: int) -> None:
    if value < 0:
        raise ValueError(f"must not be negative, got {value}")

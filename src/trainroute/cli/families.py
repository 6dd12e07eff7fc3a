"""The command `families`."""

import sys
from typing import Literal

import msgspec

from trainroute.cli.options import VERBOSITY, Verbosity
from trainroute.families import describe_families
from trainroute.report.families import print_families, print_family


def families(
    name: str | None = None,
    *,
    format: Literal["text", "json"] = "text",  # noqa: A002 - the option's name
    verbosity: Verbosity = VERBOSITY,
) -> int:
    """List the model families: stage, tasks, rows, what they read and need, whether that is installed.

    Parameters
    ----------
    name
        Show this family wholly, with its hyperparameters and their defaults.
    format
        Text for people; JSON, with everything, for programs.
    """
    del verbosity
    found = describe_families(None if name is None else [name])
    if format == "json":
        content = found if name is None else found[0]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")
    elif name is None:
        print_families(found)
    else:
        print_family(found[0])
    return 0

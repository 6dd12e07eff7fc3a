"""The table of `trainroute families`, and one family wholly."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from trainroute.families import FamilyDescription
from trainroute.records.markdown import table as markdown_table
from trainroute.report.console import stdout_console
from trainroute.report.tables import compact_table
from trainroute.text import print_lines, printable

_HEADINGS = (
    *("family", "stage", "tasks", "jobs", "rows"),
    *("reads", "GPU library", "needs", "installed", "settings"),
)
_SHORT_TASKS = {"binary": "b", "multiclass": "m", "regression": "r"}
_SHORT_TYPES = {"cross_sectional": "pooled", "symbol_specific": "local"}


def families_table(families: Sequence[FamilyDescription]) -> Table:
    """One row per family, in two-stage order."""
    table = compact_table("Model families")
    for heading in _HEADINGS:
        folds = heading in {"reads", "needs"}
        right = heading in {"rows", "settings"}
        table.add_column(heading, justify="right" if right else "left", no_wrap=not folds, overflow="fold")
    for found in families:
        table.add_row(*(Text(printable(value)) for value in _row(found)))
    return table


def families_markdown(families: Sequence[FamilyDescription]) -> str:
    """Write the table for a page; for one family its hyperparameters too."""
    parts = [markdown_table(_HEADINGS, [_row(found) for found in families])]
    if len(families) == 1:
        settings = ((name, _value(value)) for name, value in families[0].hyperparameters.items())
        parts.append(markdown_table(("hyperparameter", "default"), settings))
    return "\n".join(parts)


def _row(found: FamilyDescription) -> tuple[str, ...]:
    return (
        found.name,
        found.stage.value,
        " ".join(_SHORT_TASKS[task] for task in found.tasks),
        ", ".join(_SHORT_TYPES[kind] for kind in found.training_types),
        str(found.min_rows),
        ", ".join(_reads(found)) or "·",
        found.gpu_library or "·",
        f"[{found.extra}]" if found.extra else ", ".join(found.needs) or "·",
        _yes(found.installed),
        str(len(found.hyperparameters)),
    )


def print_families(families: Sequence[FamilyDescription]) -> None:
    """Print the table, what its short words mean, and what installs the families that lack a library."""
    stdout_console().print(families_table(families))
    absent: dict[str, list[str]] = {}
    for found in families:
        if found.install is not None:
            absent.setdefault(found.install, []).append(found.name)
    installed = sum(found.installed for found in families)
    print_lines(
        f"{len(families)} families, {installed} installed; tasks: b binary, m multiclass, r regression",
        *(f"for {', '.join(names)}: {install}" for install, names in absent.items()),
        "'trainroute families NAME' shows one with its hyperparameters",
    )


def print_family(found: FamilyDescription) -> None:
    """Print one family wholly."""
    print_lines(
        f"{found.name}: {found.stage.value} stage" + (f", {found.gpu_library}" if found.gpu_library else ""),
        f"  tasks: {', '.join(found.tasks)}",
        f"  training types: {', '.join(found.training_types)}",
        f"  training rows at least: {found.min_rows}",
        f"  reads the rows before a row: {_yes(found.reads_history)}",
        f"  learns sibling targets too: {_yes(found.learns_siblings)}",
        f"  needs: {', '.join(found.needs) or 'nothing more'}" + (f" (extra: {found.extra})" if found.extra else ""),
        f"  installed: {'yes' if found.installed else f'no, {found.install}'}",
        f"  hyperparameters (training.families.{found.name}.hyperparameters):",
        *(f"    {name}: {_value(value)}" for name, value in found.hyperparameters.items()),
    )


def _reads(found: FamilyDescription) -> list[str]:
    return [word for word, reads in (("history", found.reads_history), ("siblings", found.learns_siblings)) if reads]


def _yes(value: bool) -> str:  # noqa: FBT001 - a word for a value
    return "yes" if value else "no"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)

"""What `predict` prints: how much was predicted, why the rest was not, and how blends did on the holdout."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from trainroute.records.predictions import PredictionEvaluation, SideScore
from trainroute.records.results import Interval
from trainroute.report.console import stdout_console
from trainroute.report.tables import compact_table
from trainroute.text import print_lines, printable

_MOST_REASONS_SHOWN = 10


def evaluation_table(evaluation: PredictionEvaluation) -> Table:
    """One row per target and kind of prediction, on the labelled rows of the holdout."""
    table = compact_table("Score on the labelled rows of the holdout")
    table.add_column("target", overflow="fold")
    table.add_column("predictions", no_wrap=True)
    for heading in ("symbols", "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("score [interval]", no_wrap=True)
    table.add_column("blend is better by", no_wrap=True)
    for found in evaluation.targets:
        symbols = str(len(found.routed.symbols))
        table.add_row(Text(printable(found.target)), "as routed", symbols, str(found.rows), _scored(found.routed), "")
        both = found.both
        if both is not None:
            size = (str(both.symbols), str(both.rows))
            table.add_row("", "  both: blend", *size, _scored(both.blend), "")
            table.add_row("", "  both: pooled", *size, _scored(both.pooled), _gap(both.blend_minus_pooled))
            table.add_row("", "  both: local", *size, _scored(both.local), _gap(both.blend_minus_local))
    return table


def print_predictions(
    *,
    rows: int,
    predicted: int,
    unanswered: Mapping[str, int],
    evaluation: PredictionEvaluation | None,
    files: Mapping[str, Path],
) -> None:
    """Print the closing summary of `predict`."""
    if evaluation is not None:
        stdout_console().print(evaluation_table(evaluation))
    print_lines(f"{predicted:,} of {rows:,} rows predicted")
    if unanswered:
        shown = list(unanswered.items())[:_MOST_REASONS_SHOWN]
        print_lines(f"{sum(unanswered.values())} (target, symbol) without a prediction:")
        print_lines(*(f"  {count} {reason}" for reason, count in shown))
        if len(unanswered) > len(shown):
            print_lines(f"  … and {len(unanswered) - len(shown)} more reasons")
    print_lines(*(f"{name}: {path}" for name, path in files.items()))


def _scored(found: SideScore) -> str:
    if found.score is None:
        return "not measurable"
    interval = "" if found.low is None or found.high is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.score:.3f}{interval}"


def _gap(found: Interval | None) -> str:
    if found is None:
        return ""
    interval = "" if found.low is None or found.high is None else f" [{found.low:+.3f}, {found.high:+.3f}]"
    return f"{found.estimate:+.3f}{interval}"

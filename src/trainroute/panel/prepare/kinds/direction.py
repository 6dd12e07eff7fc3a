"""Whether the return ahead is positive."""

import polars as pl

from trainroute.panel.prepare.kind import TargetKind, Window


class Direction(TargetKind):
    """1 where the last close of the window exceeds the entry."""

    name = "direction"
    prefix = "y_up"

    def outcome(self, window: Window) -> pl.Expr:
        """Return exit / entry - 1."""
        return window.exit() / window.entry() - 1.0

    def threshold(self, window: Window, size: float | None) -> pl.Expr:  # noqa: ARG002 - the kind's signature
        """Return zero."""
        return pl.lit(0.0)

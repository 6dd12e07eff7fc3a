"""The return ahead."""

import polars as pl

from trainroute.panel.prepare.kind import TargetKind, Window


class ForwardReturn(TargetKind):
    """Simple return from the entry to the last close of the window."""

    name = "forward_return"
    prefix = "fwd_ret"

    def outcome(self, window: Window) -> pl.Expr:
        """Return exit / entry - 1."""
        return window.exit() / window.entry() - 1.0

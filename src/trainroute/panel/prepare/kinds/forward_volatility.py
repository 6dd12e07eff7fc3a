"""The volatility ahead."""

import polars as pl

from trainroute.panel.prepare.kind import TargetKind, Window


class ForwardVolatility(TargetKind):
    """Realised volatility of the window, per bar."""

    name = "forward_volatility"
    prefix = "fwd_vol"

    def outcome(self, window: Window) -> pl.Expr:
        """Return the root mean square log return."""
        return window.volatility()

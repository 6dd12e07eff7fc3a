"""When a bar is."""

from collections.abc import Mapping

import polars as pl

from trainroute.panel.durations import parse_duration
from trainroute.panel.prepare.group import BarFacts, FeatureGroup


class Calendar(FeatureGroup):
    """The calendar in UTC, and bars that were skipped.

    ``bars_skipped``: log(1 + bars missing since the previous one). ``weekday``: 1 (Monday) to 7. ``month``: 1 to 12,
    for bars of a day or longer. ``day_minute``: minutes since midnight, for shorter ones.
    """

    name = "calendar"

    def features(self, facts: BarFacts) -> Mapping[str, pl.Expr]:
        """Return the features by name."""
        time = pl.col("ts")
        skipped = time.diff().dt.total_microseconds() / facts.interval_us - 1.0
        found = {"bars_skipped": skipped.clip(lower_bound=0.0).log1p(), "weekday": time.dt.weekday()}
        if facts.interval_us >= parse_duration("1d"):
            return found | {"month": time.dt.month()}
        return found | {"day_minute": time.dt.hour().cast(pl.Int16) * 60 + time.dt.minute().cast(pl.Int16)}

"""Features that `prepare` built, computed again without the future: what changes was not known at its time."""

from collections.abc import Iterator
from typing import ClassVar

import polars as pl

from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.evaluate.leakage.truncation import changed_features
from trainroute.panel import read_bar_columns, read_prepare_manifest, recompute_features

CUTS = (0.5, 0.9)
_MEMORY_BARS = 1000  # far more than any feature of the recipe looks back, so that long histories cost no more


class Recompute(LeakCheck):
    """Compares stored and recomputed values at ``CUTS`` of the time before the holdout: BLOCKED where they differ.

    `prepare` records its recipe. Does nothing for data that it did not make, and for features that it did not build.
    """

    name: ClassVar[str] = "recompute"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per prepared feature that differs in any compared row."""
        manifest = read_prepare_manifest(context.data_dir)
        if manifest is None:
            return
        recorded = {feature.name for feature in manifest.features}
        names = [name for name in context.panel.features if name in recorded]
        bars = read_bar_columns(context.data_dir, manifest.bar_columns, sorted(manifest.files))

        def again(cut: int) -> pl.DataFrame:
            known = bars.filter(pl.col("ts") <= pl.lit(cut).cast(bars.schema["ts"]))
            recent = known.group_by("symbol", maintain_order=True).tail(_MEMORY_BARS)
            return recompute_features(recent, manifest)

        yield from changed_features(self.name, context, names, again, CUTS)

"""Features whose recipe is known, computed again without the future: what changes was not known at its time.

`prepare` records its recipe. The bars are cut off at a few times, the features are computed from what is left, and each
symbol's last row is compared with what the panel holds for that row: they differ by more than a thousandth of the
feature's spread, or they do not.
"""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.evaluate.design import feature_scale
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.panel import PrepareManifest, read_bar_columns, read_prepare_manifest, recompute_features
from trainroute.records.vocabulary import LeakageStatus

CUTS = (0.5, 0.9)
SPREAD_TOLERANCE = 1e-3
VALUE_TOLERANCE = 1e-5
_MEMORY_BARS = 1000  # far more than any feature of the recipe looks back, so that long histories cost no more


class Recompute(LeakCheck):
    """Compares stored and recomputed values at ``CUTS`` of the time before the holdout: BLOCKED where they differ.

    Does nothing for data that `prepare` did not make, and for features that it did not build.
    """

    name: ClassVar[str] = "recompute"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per prepared feature that differs in any compared row."""
        manifest = read_prepare_manifest(context.data_dir)
        if manifest is None:
            return
        recorded = {feature.name for feature in manifest.features}
        names = [name for name in context.panel.features if name in recorded]
        differing, compared, example = self._compare(context, manifest, names)
        for i, name in enumerate(names):
            if differing[i]:
                yield LeakFinding(
                    check=self.name,
                    feature=name,
                    target=None,
                    status=LeakageStatus.BLOCKED,
                    statistic=round(float(differing[i]) / compared, 6),
                    threshold=0.0,
                    rows=compared,
                    detail=f"{differing[i]} of {compared} values change when later bars are cut off, e.g. {example[i]}",
                )

    def _compare(
        self, context: LeakContext, manifest: PrepareManifest, names: list[str]
    ) -> tuple[NDArray[np.int64], int, list[str]]:
        bars = read_bar_columns(context.data_dir, manifest.bar_columns, sorted(manifest.files))
        times = context.panel.timestamps[context.panel.timestamps < context.split.boundaries[-1]]
        columns = [context.panel.features.index(name) for name in names]
        spread = feature_scale(context.panel, int(context.split.boundaries[-1])).spread[columns]
        differing, compared, example = np.zeros(len(names), np.int64), 0, [""] * len(names)
        for share in CUTS:
            cut = int(times[int(share * (len(times) - 1))])
            known = bars.filter(pl.col("ts") <= pl.lit(cut).cast(bars.schema["ts"]))
            recent = known.group_by("symbol", maintain_order=True).tail(_MEMORY_BARS)
            last = recompute_features(recent, manifest).group_by("symbol").last().sort("symbol")
            again = dict(zip(last["symbol"], last.select("ts", *names).rows(), strict=True))
            for rows in context.panel.rows:
                position = int(np.searchsorted(context.panel.timestamps[rows.time_index], cut, side="right")) - 1
                if position < 0 or rows.symbol not in again:
                    continue
                values = np.array([np.nan if v is None else v for v in again[rows.symbol][1:]], np.float64)
                other = _differs(rows.features[position, columns].astype(np.float64), values, spread)
                compared += 1
                differing += other
                for i in np.flatnonzero(other):
                    example[i] = f"{rows.symbol} at {again[rows.symbol][0]:%Y-%m-%d %H:%M}"
        return differing, compared, example


def _differs(stored: NDArray[np.float64], again: NDArray[np.float64], spread: NDArray[np.float32]) -> NDArray[np.bool_]:
    both = np.isnan(stored) & np.isnan(again)
    return ~(both | (np.abs(stored - again) <= SPREAD_TOLERANCE * spread + VALUE_TOLERANCE * np.abs(again)))

"""Predictions as rows of a Parquet file, written group by group beside its place and renamed at the end."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.records.artifacts import atomic
from trainroute.serving.rows import AskedRows
from trainroute.serving.services import Service
from trainroute.train.artifact import unwritable

SCHEMA: Mapping[str, pl.DataType] = {
    "ts": pl.Datetime("us", "UTC"),
    "symbol": pl.String(),
    "target": pl.String(),
    "class": pl.Float64(),
    "prediction": pl.Float64(),
    "route": pl.String(),
    "model": pl.String(),
    "reason": pl.String(),
}
METADATA_KEY = "trainroute"
NOT_FINITE = "the model predicts NaN or infinity"
_ROWS_PER_GROUP = 1 << 18


def pair_rows(
    rows: AskedRows,
    target: str,
    service: Service,
    *,
    prediction: NDArray[np.float64] | None = None,
    classes: tuple[float, ...] = (),
    model: str | None = None,
    reason: str | None = None,
) -> pl.DataFrame:
    """Lay out the rows of one (target, symbol): one per time, or per time and class of a multiclass target.

    Parameters
    ----------
    prediction : ndarray of shape (n_asked,) or (n_asked, n_classes), optional
        Null without it.
    classes : tuple of float
        The label value of each column of ``prediction``.
    """
    n_columns = prediction.shape[1] if prediction is not None and prediction.ndim > 1 else 1
    values = np.full(len(rows), np.nan) if prediction is None else prediction.ravel()
    label = np.tile(np.array(classes), len(rows)) if n_columns > 1 else None
    frame = pl.DataFrame({"ts": np.repeat(rows.time, n_columns), "prediction": values})
    finite = pl.col("prediction").is_finite()
    said = pl.lit(reason, pl.String)
    return frame.select(
        pl.col("ts").cast(SCHEMA["ts"]),
        pl.lit(rows.frame.symbol).alias("symbol"),
        pl.lit(target).alias("target"),
        pl.lit(None, pl.Float64).alias("class") if label is None else pl.Series("class", label, pl.Float64),
        pl.when(finite).then("prediction"),
        pl.lit(None if service.route is None else service.route.value, pl.String).alias("route"),
        pl.lit(model, pl.String).alias("model"),
        (said if prediction is None else pl.when(finite).then(said).otherwise(pl.lit(NOT_FINITE))).alias("reason"),
    )


def write_predictions(path: Path, frames: Iterable[pl.DataFrame], metadata: Mapping[str, object]) -> None:
    """Write frames of `SCHEMA` one after the other; readers see the old file or the whole new one.

    Raises
    ------
    DiskFullError, UnwritableError
        If it cannot be written.
    """
    import pyarrow as pa  # noqa: PLC0415 - heavy library
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy library

    def arrow(parts: list[pl.DataFrame]) -> pa.Table:
        frame = pl.concat([pl.DataFrame(schema=SCHEMA), *parts])
        return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).replace_schema_metadata(entries)

    of_frames: list[OSError] = []  # what goes wrong before there is anything to write
    entries = {METADATA_KEY: json.dumps(metadata, sort_keys=True)}

    def taken() -> Iterator[pl.DataFrame]:
        try:
            yield from frames
        except OSError as error:
            of_frames.append(error)
            raise

    def write(file: object) -> None:
        waiting: list[pl.DataFrame] = []
        with pq.ParquetWriter(file, arrow([]).schema, compression="zstd") as writer:
            for frame in taken():
                waiting.append(frame)
                if sum(map(len, waiting)) >= _ROWS_PER_GROUP:
                    writer.write_table(arrow(waiting))
                    waiting.clear()
            writer.write_table(arrow(waiting))

    try:
        atomic(path, write)
    except OSError as error:
        if error in of_frames:
            raise
        raise unwritable("the predictions", error) from None

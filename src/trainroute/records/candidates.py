"""The routing candidates table: the evidence that routing stands on, one row per target and per (target, symbol).

The columns and their types are a public contract (SPEC section 4). A *missing column* means "not known"; a *null* in a
column that is there means "no evidence".
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

CANDIDATES_SCHEMA_VERSION = 1
DECIMALS = 6
"""Scores are rounded to this many decimals before anything is compared or hashed."""

COLUMNS: dict[str, pl.DataType] = {
    "target": pl.String(),
    "symbol": pl.String(),
    "mode": pl.String(),
    "score": pl.Float64(),
    "score_ci_low": pl.Float64(),
    "score_ci_high": pl.Float64(),
    "score_shrunk": pl.Float64(),
    "p_skill": pl.Float64(),
    "cs_score": pl.Float64(),
    "cs_score_shrunk": pl.Float64(),
    "p_cs_skill": pl.Float64(),
    "cs_score_within_date": pl.Float64(),
    "delta_local": pl.Float64(),
    "delta_local_se": pl.Float64(),
    "p_local_better": pl.Float64(),
    "stability": pl.String(),
    "mean_overlap": pl.Float64(),
    "std_overlap": pl.Float64(),
    "mean_tau": pl.Float64(),
    "std_tau": pl.Float64(),
    "n_snapshots": pl.Int64(),
    "sample_size": pl.Int64(),
    "n_eff": pl.Float64(),
    "n_blocks": pl.Int64(),
    "minority_events": pl.Int64(),
    "leakage_status": pl.String(),
    "feature_set_id": pl.String(),
    "attempted_model_families": pl.List(pl.String()),
    "failed_model_families": pl.List(pl.String()),
    "task_type": pl.String(),
    "metric_name": pl.String(),
    "horizon_minutes": pl.Float64(),
    "n_targets_considered": pl.Int64(),
    "timestamp": pl.String(),
    "git_commit": pl.String(),
}

REQUIRED_COLUMNS = ("target", "symbol", "score", "sample_size")
VOLATILE_COLUMNS = ("timestamp", "git_commit")


ORDER = ("target", "mode", "symbol")


@dataclass(frozen=True)
class Candidates:
    """A validated candidates table.

    The hashes below and every plan follow the order of the rows, so it is put in order here, whoever builds it.

    Parameters
    ----------
    frame : polars.DataFrame
        All columns of ``COLUMNS``, rows in any order; those not in ``provided`` are null.
    provided : frozenset of str
        The columns that the table came with.

    Attributes
    ----------
    frame : polars.DataFrame
        The same rows, sorted by `ORDER`, nulls first.
    """

    frame: pl.DataFrame
    provided: frozenset[str]

    def __post_init__(self) -> None:
        ordered = self.frame.select(COLUMNS.keys()).sort(ORDER, nulls_last=False)
        object.__setattr__(self, "frame", ordered)

    @cached_property
    def snapshot(self) -> str:
        """Hash of what decisions look at: without ``timestamp`` and ``git_commit``, floats to `DECIMALS` decimals."""
        return self._digest(self.provided.difference(VOLATILE_COLUMNS), DECIMALS)

    @cached_property
    def content_hash(self) -> str:
        """Hash of every value of the columns that the table came with."""
        return self._digest(self.provided, None)

    def _digest(self, columns: Collection[str], decimals: int | None) -> str:
        return frame_digest(self.frame.select(name for name in COLUMNS if name in columns), decimals)


def frame_digest(frame: pl.DataFrame, decimals: int | None) -> str:
    """Return the SHA-256 over names, types, validity and values of a frame, column by column.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns of String, Float64, Int64 or List(String); the order of columns and rows counts.
    decimals : int or None
        How exactly floats count, so that the last bits of a parallel sum change nothing; None: every bit.
    """
    digest = hashlib.sha256()
    for column in frame.iter_columns():
        digest.update(f"{column.name}\0{column.dtype}\0{len(column)}\0".encode())
        for buffer in _buffers(column, decimals):
            digest.update(buffer)
    return digest.hexdigest()


def _buffers(column: pl.Series, decimals: int | None) -> Iterator[bytes]:
    import numpy as np  # noqa: PLC0415 - a tenth of a second that commands which hash no table need not spend

    yield np.packbits(column.is_null().to_numpy()).tobytes()
    if isinstance(column.dtype, pl.List):
        yield column.list.len().fill_null(0).to_numpy().astype("<i8").tobytes()
        yield from _buffers(column.drop_nulls().explode(), decimals)
    elif column.dtype == pl.String:
        yield column.str.len_bytes().fill_null(0).to_numpy().astype("<i8").tobytes()
        yield (column.str.join("").item() or "").encode()
    elif column.dtype == pl.Float64:
        known = column.fill_null(0.0)
        exact = known if decimals is None else known.round(decimals)
        yield (exact.to_numpy() + 0.0).astype("<f8").tobytes()
    else:
        yield column.fill_null(0).to_numpy().astype("<i8").tobytes()

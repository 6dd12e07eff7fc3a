"""The routing candidates table: the evidence that routing stands on, one row per target and per (target, symbol).

The columns and their types are a public contract (SPEC section 4). A *missing column* means "not known"; a *null* in a
column that is there means "no evidence".
"""

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from trainroute.records.artifacts import content_id

CANDIDATES_SCHEMA_VERSION = 1

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


@dataclass(frozen=True)
class Candidates:
    """A validated candidates table.

    Attributes
    ----------
    frame : polars.DataFrame
        All columns of ``COLUMNS``, sorted by target, mode and symbol; those not in ``provided`` are null.
    provided : frozenset of str
        The columns that the table came with.
    """

    frame: pl.DataFrame
    provided: frozenset[str]

    @cached_property
    def snapshot(self) -> str:
        """Hash of the content without ``timestamp`` and ``git_commit``, whatever the order of the rows."""
        columns = sorted(self.provided.difference(VOLATILE_COLUMNS) & COLUMNS.keys())
        ordered = self.frame.sort("target", "mode", "symbol", nulls_last=False).select(columns)
        return content_id({"columns": columns, "rows": ordered.write_ndjson()})

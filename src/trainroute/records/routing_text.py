"""The decisions of a routing plan as the text of their JSON, a slice of the table at a time.

1. `_runs` cuts both tables into runs of consecutive targets, each of about `SLICE_ROWS` pairs.
2. The text of a run is one line per pair; the line of a target's first pair begins with what is said of the target.

So the text of a million pairs is never in memory as a column beside the bytes that are written.
"""

from collections.abc import Iterator

import polars as pl

from trainroute.records.frames import SLICE_ROWS, collected, json_string, json_text


def decisions_text(pooled: pl.DataFrame, pairs: pl.DataFrame) -> Iterator[bytes]:
    """Yield the members of ``targets``, one or more at a time, without what stands between the slices.

    Parameters
    ----------
    pooled : polars.DataFrame
        One row per target, sorted.
    pairs : polars.DataFrame
        One row per (target, symbol), sorted; every target is one of ``pooled``.
    """
    opening = pl.concat_str(
        json_string("target"), pl.lit(':{"cross_sectional":'), json_text(set(pooled.columns) - {"target"})
    )
    decision = pl.concat_str(json_string("symbol"), pl.lit(":"), json_text(set(pairs.columns) - {"target", "symbol"}))
    runs = _runs(pooled, pairs)
    return collected([_served(*run, opening, decision) if run[1].height else _alone(run[0], opening) for run in runs])


def _runs(pooled: pl.DataFrame, pairs: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield runs of targets with their pairs; targets without any pair stand in runs of their own."""
    counts = pairs.group_by("target").len()
    rows = pooled.select("target").join(counts, on="target", how="left", maintain_order="left")["len"].fill_null(0)
    first = start = length = 0
    for number, count in enumerate(rows.to_list()):
        if number > first and (length >= SLICE_ROWS or (count == 0) != (length == 0)):
            yield pooled.slice(first, number - first), pairs.slice(start, length)
            first, start, length = number, start + length, 0
        length += count
    if pooled.height:
        yield pooled.slice(first), pairs.slice(start, length)


def _served(pooled: pl.DataFrame, pairs: pl.DataFrame, opening: pl.Expr, decision: pl.Expr) -> pl.LazyFrame:
    """Return the text of targets that have pairs, as a single binary value.

    ``opening`` is the text of a target up to its pairs, ``decision`` that of a pair with its symbol.
    """
    rows = pairs.lazy().with_row_index("row")
    begins = pl.col("target").ne_missing(pl.col("target").shift())
    between = pl.when(pl.col("row") > 0).then(pl.lit("\n}},\n")).otherwise(pl.lit(""))
    heads = pooled.lazy().select("target", head=pl.concat_str(opening, pl.lit(',\n"symbols":{\n')))
    firsts = (
        rows.select("row", "target")
        .filter(begins)
        .join(heads, on="target", how="left")
        .select("row", head=pl.concat_str(between, "head"))
    )
    end = pl.when(pl.col("row") == pairs.height - 1).then(pl.lit("\n}}")).otherwise(pl.lit(""))
    line = pl.concat_str(pl.col("head").fill_null(",\n"), decision, end)
    return rows.join(firsts, on="row", how="left", maintain_order="left").select(line.str.join("").cast(pl.Binary))


def _alone(pooled: pl.DataFrame, opening: pl.Expr) -> pl.LazyFrame:
    """Return the text of targets without any pair, as a single binary value."""
    member = pl.concat_str(opening, pl.lit(',\n"symbols":{}}'))
    return pooled.lazy().select(member.str.join(",\n").cast(pl.Binary))

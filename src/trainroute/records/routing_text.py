"""The decisions of a routing plan as the text of their JSON, a slice of the table at a time.

1. Between the pairs of two targets stands what is said of the second one, and of those between them without any pair.
2. This text is put beside the first pair of its target, so that each pair is one line, wherever the table is cut.

So the text of a million pairs is never in memory as a column beside the bytes that are written.
"""

from collections.abc import Iterator

import polars as pl

from trainroute.records.frames import encoded, json_string, json_text


def decisions_text(pooled: pl.DataFrame, pairs: pl.DataFrame) -> Iterator[bytes]:
    """Yield the JSON of ``targets``, one line per pair, in chunks.

    Parameters
    ----------
    pooled : polars.DataFrame
        One row per target, sorted.
    pairs : polars.DataFrame
        One row per (target, symbol), sorted; every target is one of ``pooled``.
    """
    decision = pl.concat_str(
        "head", json_string("symbol"), pl.lit(":"), json_text(set(pairs.columns) - {"target", "symbol"})
    )
    served = pairs.group_by("target").len()
    counts = pooled.join(served, on="target", how="left", maintain_order="left")["len"].fill_null(0)
    heads, tail = _around(pooled, counts)
    first = (counts.cum_sum() - counts).filter(counts > 0)
    head = pl.Series("head", [",\n"]).new_from_index(0, pairs.height).scatter(first, heads)
    yield from encoded(pairs.with_columns(head), decision, between="")
    yield tail.encode()


def _around(pooled: pl.DataFrame, counts: pl.Series) -> tuple[list[str], str]:
    """Return the text before the first pair of each target that has pairs, and the text after the last pair of all."""
    opening = pl.concat_str(
        json_string("target"), pl.lit(':{"cross_sectional":'), json_text(set(pooled.columns) - {"target"})
    )
    heads, text, separator = [], "{", "\n"
    for opened, pairs in zip(pooled.select(opening).to_series(), counts, strict=True):
        text += f'{separator}{opened},\n"symbols":{{'
        if pairs:
            heads.append(f"{text}\n")
            text = "\n"
        text += "}}"
        separator = ",\n"
    return heads, f"{text}\n}}" if len(counts) else "{}"

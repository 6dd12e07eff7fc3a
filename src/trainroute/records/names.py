"""Job ids and file names as a pure function of target and symbol names.

Names are data: any Unicode string may be a target or a symbol, and none may leave the output directory, collide with
another, or upset a file system. See SPEC section 6. A name made of plain characters stays as it is; any other is
escaped; one that no file system likes, or that would differ from another only in case, ends in ``~`` and a hash. As
``~`` itself is escaped, a hashed name never equals an escaped one.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

import polars as pl

from trainroute.errors import DataError
from trainroute.records.vocabulary import TrainingType

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_LONGEST = 120
_HASH_DIGITS = 16


def escape(name: str, *, also: str = "") -> str:
    """Replace every character outside ``[A-Za-z0-9._-]``, and those in ``also``, by ``%XX`` of its UTF-8 bytes."""
    return "".join(c if c in _PLAIN and c not in also else "".join(f"%{b:02X}" for b in _utf8(c)) for c in name)


def safe_name(name: str) -> str:
    """Return a file name for ``name``: the name itself where it is plain, else escaped, hashed where it must be."""
    return _bounded(escape(name), name)


def job_id(target: str, symbol: str | None) -> str:
    """Return the id of the job of a target (pooled, ``symbol`` is None) or of a (target, symbol).

    Examples
    --------
    >>> job_id("y_up_5d", "AAPL"), job_id("y_up_5d", None)
    ('sym_y_up_5d_AAPL', 'cs_y_up_5d')
    >>> job_id("y_a", "b_c") == job_id("y_a_b", "c")
    False
    """
    if symbol is None:
        return _bounded(f"cs_{escape(target)}", f"cs\0{target}")
    return _bounded(_symbol_job(escape(target), escape(symbol, also="_")), _symbol_identity(target, symbol))


def job_ids(targets: pl.Series, symbols: pl.Series) -> pl.Series:
    """Return the `job_id` of each row; a null symbol stands for the pooled job.

    Parameters
    ----------
    targets, symbols : polars.Series of String, shape (n,)

    Returns
    -------
    polars.Series of String, shape (n,)
    """
    frame = pl.DataFrame({"target": targets, "symbol": symbols}).with_columns(
        t=_mapped(pl.col("target"), {name: escape(name) for name in targets.unique().to_list()}),
        s=_mapped(pl.col("symbol"), {name: escape(name, also="_") for name in symbols.drop_nulls().unique().to_list()}),
    )
    plain = (
        pl.when(pl.col("symbol").is_null())
        .then(pl.concat_str(pl.lit("cs_"), "t"))
        .otherwise(pl.concat_str(pl.lit("sym_"), "t", pl.lit("_"), "s"))
    )
    frame = frame.with_columns(id=plain).with_row_index("row")
    awkward = frame.filter((pl.col("id").str.len_bytes() > _LONGEST) | pl.col("id").str.ends_with("."))
    if awkward.height == 0:
        return frame["id"].rename("job_id")
    exact = [job_id(target, symbol) for target, symbol in awkward.select("target", "symbol").iter_rows()]
    return frame["id"].scatter(awkward["row"], pl.Series(exact, dtype=pl.String)).rename("job_id")


def training_type(symbol: str | None) -> TrainingType:
    """Return the training type of a job with that symbol."""
    return TrainingType.CROSS_SECTIONAL if symbol is None else TrainingType.SYMBOL_SPECIFIC


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Map each name to a file name, so that no two differ only in case or in Unicode normalisation.

    Examples
    --------
    >>> sorted(file_names(["AAPL", "MSFT"]).values())
    ['AAPL', 'MSFT']
    >>> sorted(n.split("~")[0] for n in file_names(["spy", "SPY"]).values())
    ['SPY', 'spy']
    """
    return _apart({name: safe_name(name) for name in names})


def folder_names(job_ids: Iterable[str]) -> dict[str, str]:
    """Map each job id to a folder name: the id itself, hashed where ids differ only in case.

    Examples
    --------
    >>> folder_names(["cs_y_up_5d", "sym_y%20a_A"])
    {'cs_y_up_5d': 'cs_y_up_5d', 'sym_y%20a_A': 'sym_y%20a_A'}
    >>> len({name.casefold() for name in folder_names(["sym_y_a", "sym_y_A"]).values()})
    2
    """
    return _apart({job_id: job_id for job_id in job_ids})


def _apart(safe: Mapping[str, str]) -> dict[str, str]:
    """Hash those of the file names ``safe`` that differ only in case or normalisation, or whose true names do."""
    unique = sorted(safe)
    groups: dict[str, set[str]] = {}
    for name in unique:
        groups.setdefault(_folded(name), set()).add(name)
        groups.setdefault(_folded(safe[name]), set()).add(name)
    clashing = {name for group in groups.values() if len(group) > 1 for name in group}
    return {name: _hashed(safe[name], name) if name in clashing else safe[name] for name in unique}


def _mapped(column: pl.Expr, mapping: dict[str, str]) -> pl.Expr:
    changed = {name: escaped for name, escaped in mapping.items() if name != escaped}
    return column.replace(changed) if changed else column


def _symbol_job(target: str, symbol: str) -> str:
    return f"sym_{target}_{symbol}"


def _symbol_identity(target: str, symbol: str) -> str:
    # The length says where the target ends, whatever characters the two names hold.
    return f"sym\0{len(target)}\0{target}{symbol}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _utf8(character: str) -> bytes:
    try:
        return character.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"a name holds the lone surrogate {character!r}; names must be valid Unicode") from None


def _bounded(escaped: str, identity: str) -> str:
    # Windows drops a dot at the end of a name, so "y." would be the directory of "y".
    if len(escaped) > _LONGEST or _RESERVED.fullmatch(escaped) or not escaped.strip(".") or escaped.endswith("."):
        return _hashed(escaped, identity)
    return escaped


def _hashed(escaped: str, identity: str) -> str:
    stem = escaped.split("~", maxsplit=1)[0]
    digest = hashlib.sha256(identity.encode("utf-8")).hexdigest()[:_HASH_DIGITS]
    return f"{stem[: _LONGEST - _HASH_DIGITS - 1]}~{digest}"

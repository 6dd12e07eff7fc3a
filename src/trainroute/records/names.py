"""Job ids and file names as a pure function of target and symbol names.

Names are data: any Unicode string may be a target or a symbol, and none may leave the output directory, collide with
another, or upset a file system. See SPEC section 6.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

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
    """Return the id of the job of a target (pooled, ``symbol`` is None) or of a (target, symbol)."""
    if symbol is None:
        return _bounded(f"cs_{escape(target)}", f"cs\0{target}")
    return _bounded(f"sym_{escape(target)}_{escape(symbol, also='_')}", f"sym\0{target}\0{symbol}")


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
    unique = sorted(set(names))
    groups: dict[str, list[str]] = {}
    for name in unique:
        groups.setdefault(_folded(name), []).append(name)
        if safe_name(name) != name:
            groups.setdefault(_folded(safe_name(name)), []).append(name)
    clashing = {name for group in groups.values() if len(set(group)) > 1 for name in group}
    return {name: _hashed(safe_name(name), name) if name in clashing else safe_name(name) for name in unique}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _utf8(character: str) -> bytes:
    try:
        return character.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"a name holds the lone surrogate {character!r}; names must be valid Unicode") from None


def _bounded(escaped: str, identity: str) -> str:
    if len(escaped) > _LONGEST or _RESERVED.fullmatch(escaped) or not escaped.strip(".") or escaped.endswith("."):
        return _hashed(escaped, identity)
    return escaped


def _hashed(escaped: str, identity: str) -> str:
    if "~" in escaped:
        escaped = escaped.split("~", maxsplit=1)[0]
    digest = hashlib.sha256(identity.encode("utf-8")).hexdigest()[:_HASH_DIGITS]
    return f"{escaped[: _LONGEST - _HASH_DIGITS - 1]}~{digest}"

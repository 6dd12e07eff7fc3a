"""JSON files that can be trusted: canonical bytes, a content hash inside, written whole or not at all.

Every JSON artifact carries ``content_sha256``: the SHA-256 of the canonical JSON of everything else in the file (keys
sorted, no white space between tokens, shortest numbers, UTF-8). A truncated, bit-flipped or hand-edited file is
noticed on read, whatever its layout.

Small artifacts are mappings (`write_json_artifact`, `read_json_artifact`). Plans of a million pairs are *parts*: for
each top-level key the canonical bytes of its value, made line by line by whoever writes them, so that hashing and
reading never build a second copy as Python objects.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from trainroute.errors import BrokenPlanError, EditedPlanError, PlanNotFoundError, TrainrouteError, naming
from trainroute.logs import LOGGER
from trainroute.parallel import ahead
from trainroute.records.leftovers import sweep, temporary_prefix
from trainroute.records.regular_files import read_regular

HASH_KEY = "content_sha256"
HASH_DIGITS = 64
PLAN_ID_DIGITS = 32

Decoded = TypeVar("Decoded")
JsonText = bytes | memoryview
"""The JSON of a value: made, or as a view into the file that was read."""

_CLEANED_AT_ONCE = 1 << 16  # bytes; a copy of this size stays in the core's cache and in memory that is used again
_NAME_LENGTH = 40  # of a file, in the name of a temporary one beside it
_HASHED_AT_ONCE = 1 << 20  # bytes; the interpreter is let go of while they are hashed, and has to be waited for after


def canonical_json(value: object) -> bytes:
    """Encode ``value`` to JSON with sorted keys and no spaces; equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def content_id(value: object, *, length: int = HASH_DIGITS) -> str:
    """Return the first ``length`` hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:length]


def parts_id(parts: Mapping[str, Iterable[JsonText]], *, length: int = HASH_DIGITS) -> str:
    """Return the `content_id` of the object whose members are ``parts``.

    Parameters
    ----------
    parts : mapping of str to iterable of bytes or memoryview
        For each key the chunks of its canonical JSON. Line feeds between entries are layout and not hashed.
    length : int
        How many hex digits.
    """
    digest = hashlib.sha256()
    for text in _gathered(_pieces_of(parts)):
        digest.update(text)
    return digest.hexdigest()[:length]


def ids_of_one_end(objects: Sequence[Mapping[str, JsonText]]) -> list[str]:
    """Return the `parts_id` of objects whose last members, in the order of their keys, are one and the same.

    That member is gone through once for all of them.
    """
    last = max(objects[0])
    digests = []
    for parts in objects:
        before = {key: [text] for key, text in parts.items() if key != last}
        digests.append(hashlib.sha256(b"".join(_pieces_of({**before, last: []}))[:-1]))
    for text in _gathered(_pieces(objects[0][last])):
        for digest in digests:
            digest.update(text)
    for digest in digests:
        digest.update(b"}")
    return [digest.hexdigest() for digest in digests]


def _pieces_of(parts: Mapping[str, Iterable[JsonText]]) -> Iterator[bytes]:
    """Yield the canonical JSON of the object in small pieces."""
    yield b"{"
    for number, key in enumerate(sorted(parts)):
        yield from _pieces((b"," if number else b"") + canonical_json(key) + b":")
        for chunk in parts[key]:
            yield from _pieces(chunk)
    yield b"}"


def _pieces(text: JsonText) -> Iterator[bytes]:
    for start in range(0, len(text), _CLEANED_AT_ONCE):
        yield bytes(text[start : start + _CLEANED_AT_ONCE]).replace(b"\n", b"")


def _gathered(pieces: Iterable[bytes]) -> Iterator[memoryview]:
    """Yield small pieces put together, each time in the same memory."""
    gathered, end = memoryview(bytearray(_HASHED_AT_ONCE + _CLEANED_AT_ONCE)), 0
    for piece in pieces:
        start, end = end, end + len(piece)
        gathered[start:end] = piece
        if end >= _HASHED_AT_ONCE:
            yield gathered[:end]
            end = 0
    yield gathered[:end]


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, flush it to disk, then rename: readers see the old file or the new one."""
    atomic(path, lambda file: file.write(data))


def atomic(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``write`` fill a file beside ``path``, flush it to disk, then rename it over ``path``."""
    fresh = written_aside(path, write)
    try:
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def written_aside(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Let ``write`` fill a file beside ``path``, flush it to disk, and return it; what killed writers left goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stem = path.name[:_NAME_LENGTH]
    sweep(path.parent, stem)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=temporary_prefix(stem), suffix=".tmp")
    fresh = Path(name)
    try:
        with naming(path), os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o644)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return fresh


def write_json_artifact(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON together with its content hash."""
    plain = msgspec.to_builtins(content, str_keys=True)
    document = {**plain, HASH_KEY: content_id(plain)}
    write_atomically(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def write_parts(file: BinaryIO, parts: Mapping[str, Sequence[bytes]]) -> None:
    """Write an object given by its parts, in their order, and its content hash as the last member."""
    file.writelines(artifact_text(parts))


def artifact_text(parts: Mapping[str, Sequence[bytes]]) -> Iterator[bytes]:
    """Yield what `write_parts` writes, in chunks."""
    opening = b"{"
    for key, chunks in parts.items():
        yield opening + canonical_json(key) + b":"
        yield from chunks
        opening = b",\n"
    yield opening + canonical_json(HASH_KEY) + b":" + canonical_json(parts_id(parts)) + b"}\n"


def lines_of(opening: bytes, entries: Iterable[bytes], closing: bytes) -> list[bytes]:
    """Lay out an array or object with one entry on each line: ``opening``, the entries, ``closing``."""
    body = b",\n".join(entries)
    return [opening + b"\n", body, b"\n" + closing] if body else [opening + closing]


def chunks_of(opening: bytes, slices: Iterable[bytes], closing: bytes) -> list[bytes]:
    """Lay out as `lines_of` what comes in slices of several entries, without a second copy of them."""
    chunks = [opening]
    for found in slices:
        chunks += [b"\n" if len(chunks) == 1 else b",\n", found]
    return [*chunks, closing if len(chunks) == 1 else b"\n" + closing]


def read_json_artifact(path: Path, *, require_hash: bool = True) -> dict[str, Any]:
    """Read a JSON artifact and check its content hash.

    Raises
    ------
    PlanNotFoundError
        If the file does not exist.
    BrokenPlanError
        If it cannot be read, is not a JSON object, or its content differs from its hash.
    """
    parts = read_parts(path, require_hash=require_hash)
    return {key: msgspec.json.decode(chunk) for key, chunk in parts.items()}


def read_parts(path: Path, *, require_hash: bool = True) -> dict[str, JsonText]:
    """Read a JSON artifact as the canonical bytes, but for line feeds, of each top-level member but the hash.

    Raises
    ------
    PlanNotFoundError
        If the file does not exist.
    BrokenPlanError
        As `read_json_artifact`.
    """
    parts, recorded = _read_through(path, _bytes_of(path), allow_edited=False)
    if require_hash:
        require_recorded(recorded, path)
    return parts


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A JSON artifact that was read.

    Attributes
    ----------
    data : bytes
    parts : dict of str to JsonText, or None
        Its members, where it still is laid out as `write_parts` does.
    recorded : str or None
        The hash that it carries, likewise.
    content_id : str or None
        The hash of its members, where that is known already.
    """

    data: bytes
    parts: dict[str, JsonText] | None
    recorded: str | None
    content_id: str | None = None


def open_parts(path: Path, written: Sequence[str]) -> Opened:
    """Read a JSON artifact and cut it at its keys; what `decode_parts` begins with, and its errors.

    Parameters
    ----------
    path : Path
    written : sequence of str
        The keys, in the order in which `write_parts` got them.
    """
    data = _bytes_of(path)
    parts, recorded = _cut(data, written) or (None, None)
    return Opened(data=data, parts=parts, recorded=recorded)


def decode_parts(
    path: Path,
    decode: Callable[[Mapping[str, JsonText], str | None], Decoded],
    *,
    written: Sequence[str],
    allow_edited: bool = False,
    opened: Opened | None = None,
) -> Decoded:
    """Read a JSON artifact and decode its members.

    A file that still is laid out as `write_parts` does is cut at its keys, and its hash is computed while its members
    are decoded. Where the hash differs or decoding fails, it is read through, and what is wrong is said then.

    Parameters
    ----------
    path : Path
    decode : callable
        From the members and the hash that was recorded, None where there is none.
    written : sequence of str
        The keys, in the order in which `write_parts` got them.
    allow_edited : bool
        Take the content too where it does not match its hash: a warning says so.
    opened : Opened, optional
        The file, where it was read already.

    Raises
    ------
    PlanNotFoundError
        If the file does not exist.
    BrokenPlanError
        If it is no JSON object.
    EditedPlanError
        If its content is another than that of the hash, unless ``allow_edited``.
    """
    opened = opened or open_parts(path, written)
    if opened.parts is not None and not allow_edited:
        known, parts = opened.content_id, opened.parts
        with ahead(lambda: known or _id_of(parts)) as content:
            try:
                found = decode(parts, opened.recorded)
            except (TrainrouteError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                LOGGER.debug("%s: not as it was written (%s)", path, error)
            else:
                if content() == opened.recorded:
                    return found
    return decode(*_read_through(path, opened.data, allow_edited=allow_edited))


def _read_through(path: Path, data: bytes, *, allow_edited: bool) -> tuple[dict[str, JsonText], str | None]:
    """Return the members and the hash that was recorded, None where there is none; they are checked by it."""
    try:
        raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise BrokenPlanError(f"{path}: expected a JSON object; write it again or restore it") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(path, error) from None
    recorded = bytes(raw.pop(HASH_KEY)).decode("utf-8", "replace").strip('"') if HASH_KEY in raw else None
    parts: dict[str, JsonText] = {key: memoryview(value) for key, value in raw.items()}
    if recorded is not None and recorded == _id_of(parts):
        return parts, recorded
    canonical = _canonical_parts(path, raw)
    if recorded is not None and recorded != _id_of(canonical):
        refuse_edited(f"{path}: its content does not match its {HASH_KEY}: edited or corrupted", allowed=allow_edited)
    return canonical, recorded


def _cut(data: bytes, keys: Sequence[str]) -> tuple[dict[str, JsonText], str] | None:
    """Cut what `write_parts` laid out at its keys: members on one line each, then one on many lines, then the hash.

    None where the keys do not stand there in this order. The hash tells whether it was cut rightly, but for members
    added by hand: they become part of their neighbour, which then is no JSON value.
    """
    first, *marks = [b",\n" + canonical_json(key) + b":" for key in (*keys, HASH_KEY)]
    opening = b"{" + first.removeprefix(b",\n")
    start, end = len(opening), data.rfind(marks[-1])
    parts: dict[str, JsonText] = {}
    for key, mark in zip(keys, marks, strict=True):
        stop = end if mark is marks[-1] else data.find(mark, start, end)
        if stop < start or not data.startswith(opening):
            return None
        parts[key] = memoryview(data)[start:stop]
        start = stop + len(mark)
    recorded = data[start:]
    whole = recorded.startswith(b'"') and recorded.endswith(b'"}\n')
    return (parts, recorded[1:-3].decode("utf-8", "replace")) if whole else None


def refuse_edited(said: str, *, allowed: bool) -> None:
    """Refuse a file that is not what was written, or say so in a warning where that is allowed.

    Raises
    ------
    EditedPlanError
        If it is not allowed.
    """
    if not allowed:
        raise EditedPlanError(
            f"{said}; write it again, or give --allow-edited (train, show, explain, diff) to use it as it is"
        )
    LOGGER.warning("%s; read all the same", said)


def require_recorded(recorded: str | None, path: Path) -> None:
    """Refuse a file that carries no hash.

    Raises
    ------
    BrokenPlanError
        If none was recorded.
    """
    if recorded is None:
        raise BrokenPlanError(f"{path}: has no {HASH_KEY}, so edits cannot be noticed; write it again")


def _id_of(parts: Mapping[str, JsonText]) -> str:
    return parts_id({key: [part] for key, part in parts.items()})


def _canonical_parts(path: Path, raw: Mapping[str, msgspec.Raw]) -> dict[str, JsonText]:
    """Bring a file of another layout (indented, keys in another order) to canonical bytes."""
    try:
        return {key: canonical_json(msgspec.json.decode(value)) for key, value in raw.items()}
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(path, error) from None


def _bytes_of(path: Path) -> bytes:
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise PlanNotFoundError(f"{path}: not found; run 'trainroute run' or 'trainroute route' to write it") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not data or data.isspace():
        raise BrokenPlanError(f"{path}: the file is empty; write it again or restore it")
    return data


def _unreadable(path: Path, error: Exception) -> TrainrouteError:
    return BrokenPlanError(f"{path}: cannot be read as JSON ({error}); write it again or restore it")

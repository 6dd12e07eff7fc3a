"""JSON files that can be trusted: canonical bytes, a content hash inside, written whole or not at all.

Every JSON artifact carries ``content_sha256``: the SHA-256 of the canonical JSON of everything else in the file.
A truncated, bit-flipped or hand-edited file is noticed on read.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from trainroute.errors import BrokenPlanError, PlanNotFoundError

HASH_KEY = "content_sha256"


def canonical_json(value: object) -> bytes:
    """Encode ``value`` to JSON with sorted keys and no spaces; equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def content_id(value: object, *, length: int = 64) -> str:
    """Return the first ``length`` hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:length]


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, flush it to disk, then rename: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json_artifact(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON together with its content hash."""
    document = {**msgspec.to_builtins(content, str_keys=True), HASH_KEY: content_id(content)}
    write_atomically(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def read_json_artifact(path: Path, *, require_hash: bool = True) -> dict[str, Any]:
    """Read a JSON artifact and check its content hash.

    Raises
    ------
    PlanNotFoundError
        If the file does not exist.
    BrokenPlanError
        If it cannot be read, is not a JSON object, or its content differs from its hash.
    """
    try:
        document = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise PlanNotFoundError(f"{path}: not found; run 'trainroute run' or 'trainroute route' to write it") from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenPlanError(f"{path}: cannot be read as JSON ({error}); write it again or restore it") from None
    if not isinstance(document, dict):
        raise BrokenPlanError(f"{path}: expected a JSON object, got {type(document).__name__}; write it again")
    recorded = document.pop(HASH_KEY, None)
    if recorded is None and require_hash:
        raise BrokenPlanError(f"{path}: has no {HASH_KEY}, so edits cannot be noticed; write it again")
    if recorded is not None and recorded != content_id(document):
        raise BrokenPlanError(f"{path}: its content does not match its {HASH_KEY}: edited or corrupted; write it again")
    return document

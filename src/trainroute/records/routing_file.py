"""The file of a routing plan: where it is, how its members stand in it, what identifies them.

Nothing heavy is imported here, so that a plan can be read and hashed while what decodes it is still being imported.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from trainroute.records.artifacts import (
    PLAN_ID_DIGITS,
    JsonText,
    Opened,
    canonical_json,
    ids_of_one_end,
    open_parts,
    parts_id,
)
from trainroute.records.directories import recover
from trainroute.records.sealing import is_sealed

STEM = "routing_plan"
JSON_NAME = f"{STEM}.json"
COLUMNS_NAME = f"{STEM}.parquet"
MEMBERS = ("metadata", "config", "targets")
_COLUMNS_OVERHEAD = 1 << 20  # bytes; columns say less than the JSON does, so what is larger is something else
_ENTRY = b'{"cross_sectional":'


@dataclass(frozen=True, kw_only=True)
class OpenedRoutingPlan:
    """A routing plan that was read and hashed, not decoded.

    Attributes
    ----------
    file : Opened
    plan_id : str or None
        That of its decisions, with the ``config_hash`` that its metadata have; None where it is not as it was written.
    entries : dict of str to memoryview
        The JSON of the entries that were asked for, by target, as far as they were found.
    """

    file: Opened
    plan_id: str | None
    entries: dict[str, memoryview]


def routing_plan_file(path: Path | str) -> Path:
    """Return the JSON of a routing plan given by its directory or its JSON; a directory half replaced is put back."""
    path = Path(path)
    if path.suffix == ".json" and not path.is_dir():
        recover(path.parent)
        return path
    recover(path)
    return path / JSON_NAME


def open_routing_plan(path: Path, targets: Collection[str] = ()) -> OpenedRoutingPlan:
    """Read and hash a routing plan, given by its directory or its JSON, and cut out the entries of some targets.

    Raises
    ------
    PlanNotFoundError
        If it does not exist.
    BrokenPlanError
        If it cannot be read.
    """
    path = routing_plan_file(path)
    file = open_parts(path, MEMBERS)
    if file.parts is None:
        return OpenedRoutingPlan(file=file, plan_id=None, entries={})
    content_id, plan_id = _ids(path, file, file.parts)
    found = {target: _entry(file.data, len(file.parts["targets"]), target) for target in targets}
    entries = {target: entry for target, entry in found.items() if entry is not None}
    return OpenedRoutingPlan(file=replace(file, content_id=content_id), plan_id=plan_id, entries=entries)


def columns_beside(path: Path, json_sha256: str) -> bytes | None:
    """Return the Parquet file beside a plan's JSON, if it is what was written together with it.

    Every byte of both is then what it was: the seal of the Parquet file holds the hash of the JSON.

    Parameters
    ----------
    path : Path
        The JSON.
    json_sha256 : str
        The SHA-256 of its bytes.
    """
    columns = path.with_name(COLUMNS_NAME)
    try:
        if not columns.is_file() or columns.stat().st_size > path.stat().st_size + _COLUMNS_OVERHEAD:
            return None
        data = columns.read_bytes()
    except OSError:
        return None
    return data if is_sealed(data, json_sha256) else None


def _ids(path: Path, file: Opened, parts: Mapping[str, JsonText]) -> tuple[str | None, str | None]:
    """Return the hash of the content and the ``plan_id``, which is None where the metadata are no metadata."""
    try:
        metadata = msgspec.json.decode(parts["metadata"], type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        metadata = {}
    config_hash, plan_id = metadata.get("config_hash"), metadata.get("plan_id")
    if isinstance(plan_id, str) and columns_beside(path, hashlib.sha256(file.data).hexdigest()) is not None:
        return file.recorded, plan_id
    decisions = {"config_hash": canonical_json(config_hash), "targets": parts["targets"]}
    content, plan = ids_of_one_end([parts, decisions])
    return content, plan[:PLAN_ID_DIGITS] if isinstance(config_hash, str) else None


def _entry(data: bytes, size: int, target: str) -> memoryview | None:
    """Return the JSON of a target's entry, cut at its key and the next one; None where it is not found so.

    A line begins with the key of each target, after ``{`` or ``,``, and nothing else begins a line as its entry does.
    Line feeds elsewhere are not looked for. ``size`` is that of the last member.
    """
    mark = b",\n" + canonical_json(MEMBERS[-1]) + b":"
    start = data.find(mark) + len(mark)
    end = start + size
    try:
        key = b"\n" + canonical_json(target) + b":"
    except UnicodeEncodeError:  # no name of a plan, which is UTF-8
        return None
    found = data.find(key + _ENTRY, start, end)
    if found < 0 or data[found - 1 : found] not in (b"{", b","):
        return None
    following = data.find(b'":' + _ENTRY, found + len(key), end)
    stop = end - len(b"\n}") if following < 0 else data.rfind(b',\n"', found, following)
    return memoryview(data)[found + len(key) : stop]


def decisions_id(config_hash: str, targets: Iterable[JsonText]) -> str:
    """Return the ``plan_id`` of decisions: a hash of them and of the settings, of no time, commit or path."""
    return parts_id({"config_hash": [canonical_json(config_hash)], "targets": targets}, length=PLAN_ID_DIGITS)

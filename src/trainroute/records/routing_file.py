"""The file of a routing plan: where it is, how its members stand in it, what identifies them.

Nothing heavy is imported here, so that a plan can be read and hashed while what decodes it is still being imported.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trainroute.records.artifacts import PLAN_ID_DIGITS, JsonText, Opened, canonical_json, open_parts, parts_id
from trainroute.records.directories import recover

STEM = "routing_plan"
JSON_NAME = f"{STEM}.json"
MEMBERS = ("metadata", "config", "targets")
_ENTRY = b'{"cross_sectional":'


@dataclass(frozen=True, kw_only=True)
class OpenedRoutingPlan:
    """A routing plan that was read and hashed, not decoded.

    Attributes
    ----------
    file : Opened
    plan_id : str or None
        That of its decisions, with the ``config_hash`` that its metadata have; None where it is not as it was written.
    """

    file: Opened
    plan_id: str | None

    def entry(self, target: str) -> memoryview | None:
        """Return the JSON of a target's entry, cut at its key and the next one; None where it is not found so.

        A line begins with the key of each target, and nothing else on a line begins as its entry does.
        """
        if self.file.parts is None:
            return None
        data, size = self.file.data, len(self.file.parts["targets"])
        start = data.find(b",\n" + canonical_json(MEMBERS[-1]) + b":{")
        end = start + len(canonical_json(MEMBERS[-1])) + 3 + size
        key = b"\n" + canonical_json(target) + b":"
        found = data.find(key + _ENTRY, start, end)
        if found < 0:
            return None
        following = data.find(b'":' + _ENTRY, found + len(key), end)
        stop = end - len(b"\n}") if following < 0 else data.rfind(b',\n"', found, following)
        return memoryview(data)[found + len(key) : stop]


def routing_plan_file(path: Path) -> Path:
    """Return the JSON of a routing plan given by its directory or its JSON; a directory half replaced is put back."""
    if path.suffix == ".json":
        recover(path.parent)
        return path
    recover(path)
    return path / JSON_NAME


def open_routing_plan(path: Path) -> OpenedRoutingPlan:
    """Read and hash a routing plan, given by its directory or its JSON.

    Raises
    ------
    PlanNotFoundError
        If it does not exist.
    BrokenPlanError
        If it cannot be read.
    """
    file = open_parts(routing_plan_file(path), MEMBERS)
    if file.parts is None:
        return OpenedRoutingPlan(file=file, plan_id=None)
    try:
        config_hash = msgspec.json.decode(file.parts["metadata"], type=dict[str, object]).get("config_hash")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        config_hash = None
    plan_id = decisions_id(config_hash, [file.parts["targets"]]) if isinstance(config_hash, str) else None
    return OpenedRoutingPlan(file=file.hashed(), plan_id=plan_id)


def decisions_id(config_hash: str, targets: Iterable[JsonText]) -> str:
    """Return the ``plan_id`` of decisions: a hash of them and of the settings, of no time, commit or path."""
    return parts_id({"config_hash": [canonical_json(config_hash)], "targets": targets}, length=PLAN_ID_DIGITS)

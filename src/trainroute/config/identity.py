"""The identity of settings: a hash of their content."""

import hashlib
import json
from collections.abc import Mapping

from pydantic import BaseModel

WRITTEN_AS = ("dump_plan_as", "dump_candidates_as")
"""The keys of `routing` that only say how files are written; no decision depends on them."""


def settings_hash(*parts: BaseModel | Mapping[str, object]) -> str:
    """Return the SHA-256 of the parts' canonical JSON."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else dict(part) for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def deciding_hash(routing: Mapping[str, object], planning: Mapping[str, object]) -> str:
    """Return the ``config_hash`` of a plan: of the settings that decide, as plain values.

    Taken from what a plan records, and not from the settings of this version, so that a plan keeps its identity where
    a later version knows more keys.
    """
    decides = {name: value for name, value in routing.items() if name not in WRITTEN_AS}
    return settings_hash(decides, planning)

"""The identity of settings: a hash of their content."""

import hashlib
import json

from pydantic import BaseModel


def settings_hash(*parts: BaseModel | dict[str, object]) -> str:
    """Return the SHA-256 of the parts' canonical JSON."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

"""Binary files that are noticed to be other than they were written, as JSON artifacts are by their content hash.

Such a file carries a seal: the SHA-256 of itself with the digits of the seal zero.
"""

import hashlib

_MARK = b"sealed by sha256 "
_DIGITS = 2 * hashlib.sha256().digest_size
UNSEALED = _MARK.decode() + "0" * _DIGITS
"""The text that a file holds, behind all else that could look like it, where its seal is to be."""


def seal(data: bytearray) -> None:
    """Put the seal of ``data`` in place of its last `UNSEALED`."""
    at = _place(data)
    data[at : at + _DIGITS] = _digest(data, at)


def is_sealed(data: bytes) -> bool:
    """Whether every byte is as it was when it was sealed."""
    at = _place(data)
    return data[at : at + _DIGITS] == _digest(data, at)


def _place(data: bytes | bytearray) -> int:
    return data.rfind(_MARK) + len(_MARK)


def _digest(data: bytes | bytearray, at: int) -> bytes:
    with memoryview(data) as view:
        digest = hashlib.sha256(view[:at])
        digest.update(b"0" * _DIGITS)
        digest.update(view[at + _DIGITS :])
    return digest.hexdigest().encode()

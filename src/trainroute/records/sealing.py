"""Binary files that are noticed to be other than they were written, as JSON artifacts are by their content hash.

Such a file carries a seal: the SHA-256 of itself with the digits of the seal zero, and that of the file which it was
written beside.
"""

import hashlib

_MARK = b"sealed by sha256 "
_BESIDE = b" beside "
_DIGITS = 2 * hashlib.sha256().digest_size
_BLANK = b"0" * _DIGITS


def unsealed(beside: str) -> str:
    """Return the text that a file holds where its seal is to be, behind all else that could look like it.

    Parameters
    ----------
    beside : str
        The SHA-256 of the file which it is written beside.
    """
    return (_MARK + _BLANK + _BESIDE).decode() + beside


def seal(data: bytearray, beside: str) -> None:
    """Put the seal of ``data`` in place of its `unsealed` text; where something else looks like it, there is none."""
    at = _place(data)
    if _is_beside(data, at, beside):
        data[at : at + _DIGITS] = _digest(data, at)


def is_sealed(data: bytes, beside: str) -> bool:
    """Whether every byte is as it was when it was sealed, beside that file."""
    at = _place(data)
    return _is_beside(data, at, beside) and data[at : at + _DIGITS] == _digest(data, at)


def _place(data: bytes | bytearray) -> int:
    return data.rfind(_MARK) + len(_MARK)


def _is_beside(data: bytes | bytearray, at: int, beside: str) -> bool:
    return data.startswith(_BESIDE + beside.encode(), at + _DIGITS)


def _digest(data: bytes | bytearray, at: int) -> bytes:
    with memoryview(data) as view:
        digest = hashlib.sha256(view[:at])
        digest.update(_BLANK)
        digest.update(view[at + _DIGITS :])
    return digest.hexdigest().encode()

"""YAML of plans: block style while a person can read it, one entry per line beyond that.

JSON is YAML, but for a few characters that YAML refuses raw and for exponents without a dot. So the JSON lines of a
plan of a hundred thousand entries are its YAML as they stand; the few lines with such an exception are mended.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

BLOCK_STYLE_LIMIT = 2000
"""Entries up to which a file is written in block style."""

_LONGEST_KEY = 200
_SUSPECTS = (b"e-", b"\x7f", b"\xc2", b"\x80", b"\xef")
_REFUSED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<number>-?[0-9]+e-[0-9]+)')


def yaml_document(parts: Mapping[str, Sequence[bytes]], *, entries: int, longest_key: int = 0) -> Iterator[bytes]:
    """Write the parts of a JSON object as YAML.

    Parameters
    ----------
    parts : mapping of str to sequence of bytes
        For each plain key the chunks of its JSON, see `trainroute.records.artifacts`; no chunk ends within a token.
    entries : int
        How many entries the object holds; decides between block style and one entry per line.
    longest_key : int
        Length in bytes of the longest key inside; YAML allows no long keys in flow style.
    """
    if entries <= BLOCK_STYLE_LIMIT or longest_key > _LONGEST_KEY:
        yield _block({key: msgspec.json.decode(b"".join(chunks)) for key, chunks in parts.items()})
        return
    opening = b"{"
    for key, chunks in parts.items():
        yield opening + msgspec.json.encode(key) + b": "
        for chunk in chunks:
            yield from _mended(chunk)
        opening = b",\n"
    yield b"}\n"


def _block(value: object) -> bytes:
    import yaml  # noqa: PLC0415 - not where a plan is only read

    dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: bytes = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120, encoding="utf-8")
    return text


def _mended(text: bytes) -> Iterator[bytes]:
    """Yield the text with the lines mended that hold a suspect; the others are not looked at."""
    suspects = [re.escape(suspect) for suspect in _SUSPECTS if suspect in text]
    done = 0
    for found in re.finditer(b"|".join(suspects), text) if suspects else ():
        if found.start() >= done:
            start = text.rfind(b"\n", 0, found.start()) + 1
            end = text.find(b"\n", found.end())
            end = len(text) if end < 0 else end
            yield text[done:start]
            yield _mended_line(text[start:end])
            done = end
    yield text[done:]


def _mended_line(line: bytes) -> bytes:
    text = _TOKEN.sub(_with_dot, line.decode())
    return _REFUSED.sub(lambda character: f"\\u{ord(character.group()):04x}", text).encode()


def _with_dot(token: re.Match[str]) -> str:
    number = token["number"]
    return token.group() if number is None else f"{float(number):.12f}"

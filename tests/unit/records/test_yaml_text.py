"""YAML equals JSON, in block style and line by line, whatever the names."""

from typing import Any

import msgspec
import pytest
import yaml

from trainroute.records import yaml_text
from trainroute.records.yaml_text import yaml_document

TEXTS = [
    "plain",
    "",
    "yes",
    "null",
    "1.5",
    "a: b",
    "- x",
    "# no comment",
    "{}",
    'quote " and \\',
    "line\nfeed\ttab\r",
    "nul\0bell\x07",
    "del\x7f",
    "next\x85line",
    "sep\u2028\u2029",
    "bom\ufeff",
    "non\ufffe\uffff",
    "é ß 😀",
    'looks like ":1e-6, a number',
    "tail: 5e-7}",
    "k" * 300,
]
NUMBERS = [0, -1, 0.5, 1e-06, -3e-06, 0.000015, 1e-09, 123456.789, 1.0, None, True]


def _document() -> dict[str, Any]:
    return {
        "metadata": {"n": NUMBERS},
        "jobs": [{"text": text, "numbers": NUMBERS, "list": [text]} for text in TEXTS],
        "targets": {text[:150]: {"value": 2e-06, "text": text} for text in TEXTS},
    }


@pytest.mark.parametrize("limit", [0, 10_000])
def test_yaml_reads_as_the_json(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "BLOCK_STYLE_LIMIT", limit)
    document = _document()
    parts = {key: [_lines(value)] for key, value in document.items()}
    text = b"".join(yaml_document(parts, entries=100, longest_key=150))
    assert yaml.safe_load(text) == document
    assert (b'{"text":"plain"' in text) == (limit == 0)


def test_long_keys_are_written_in_block_style(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "BLOCK_STYLE_LIMIT", 0)
    document = {"targets": {"k" * 3000: {"a": 1}}}
    parts = {"targets": [msgspec.json.encode(document["targets"])]}
    assert yaml.safe_load(b"".join(yaml_document(parts, entries=1, longest_key=3000))) == document


def _lines(value: object) -> bytes:
    """Lay entries out one on each line, as the writers of plans do."""
    if isinstance(value, list):
        return b"[\n" + b",\n".join(msgspec.json.encode(entry) for entry in value) + b"\n]"
    assert isinstance(value, dict)
    pairs = (msgspec.json.encode(key) + b":" + msgspec.json.encode(entry) for key, entry in value.items())
    return b"{\n" + b",\n".join(pairs) + b"\n}"

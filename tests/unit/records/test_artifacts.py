"""Artifacts that cannot be changed unnoticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trainroute.errors import BrokenPlanError, PlanNotFoundError
from trainroute.records.artifacts import (
    JsonText,
    canonical_json,
    content_id,
    decode_parts,
    ids_of_one_end,
    lines_of,
    parts_id,
    read_json_artifact,
    read_parts,
    require_recorded,
    write_atomically,
    write_json_artifact,
    write_parts,
)

CONTENT = {"b": [1, 2.5, None, "x\n"], "a": {"z": 1e-06, "é": True}}


def _parts_file(path: Path) -> None:
    parts = {"b": [b'[1,2.5,null,"x\\n"]'], "a": [b'{"z":1e-6,', '"é":true}'.encode()]}
    with path.open("wb") as file:
        write_parts(file, parts)


def test_both_writers_give_one_content(tmp_path: Path) -> None:
    write_json_artifact(tmp_path / "a.json", CONTENT)
    _parts_file(tmp_path / "b.json")
    assert read_json_artifact(tmp_path / "a.json") == read_json_artifact(tmp_path / "b.json") == CONTENT
    assert read_parts(tmp_path / "a.json") == read_parts(tmp_path / "b.json")


def test_anybody_can_check_the_hash(tmp_path: Path) -> None:
    write_json_artifact(tmp_path / "a.json", {"b": [1, "é"], "a": 0.25})
    document = json.loads((tmp_path / "a.json").read_text())
    recorded = document.pop("content_sha256")
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert recorded == hashlib.sha256(canonical).hexdigest() == content_id(document)


def test_layout_and_order_of_keys_are_not_content(tmp_path: Path) -> None:
    _parts_file(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    for text in (json.dumps(document, indent=3), json.dumps(document, sort_keys=True)):
        (tmp_path / "a.json").write_text(text)
        assert read_json_artifact(tmp_path / "a.json") == CONTENT


@pytest.mark.parametrize("written", [("b", "a"), ("a", "b"), ("b",), ("b", "c", "a")])
def test_every_single_byte_counts(tmp_path: Path, written: tuple[str, ...]) -> None:
    path = tmp_path / "a.json"
    _parts_file(path)
    data = path.read_bytes()
    assert _read_or_refused(path, written) == CONTENT
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x04
        path.write_bytes(changed)
        found = _read_or_refused(path, written)
        assert found == CONTENT or (isinstance(found, str) and str(path) in found and "\n" not in found)


def _read_or_refused(path: Path, written: tuple[str, ...]) -> dict[str, Any] | str:
    def decode(parts: Mapping[str, JsonText], recorded: str | None) -> dict[str, Any]:
        require_recorded(recorded, path)
        return {key: msgspec.json.decode(chunk) for key, chunk in parts.items()}

    try:
        return decode_parts(path, decode, written=written)
    except BrokenPlanError as error:
        return str(error)


@pytest.mark.parametrize("added", [(b'"x', b'"\nx'), (b"1e-6", b"1\ne-6"), (b'"b":', b'"b": ')])
def test_a_line_feed_within_a_token_is_no_layout(tmp_path: Path, added: tuple[bytes, bytes]) -> None:
    path = tmp_path / "a.json"
    _parts_file(path)
    path.write_bytes(path.read_bytes().replace(*added))
    found = _read_or_refused(path, ("b", "a"))
    if b"\n" in added[1]:
        assert isinstance(found, str)
        assert "cannot be read as JSON" in found
    else:
        assert found == CONTENT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("  \n", "the file is empty"),
        ("{", "cannot be read as JSON"),
        ("[]", "expected a JSON object"),
        ('"x"', "expected a JSON object"),
        ('{"a": NaN}', "cannot be read as JSON"),
        ("\x00\x01", "cannot be read as JSON"),
        ('{"a": 1}', "has no content_sha256"),
        ('{"a": 1, "content_sha256": "00"}', "does not match its content_sha256"),
        ('{"a": 1, "content_sha256": 7}', "does not match its content_sha256"),
        ('{"a":' + "[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_what_is_no_artifact_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BrokenPlanError, match=message):
        read_json_artifact(tmp_path / "a.json")


def test_not_there_and_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(PlanNotFoundError, match="not found"):
        read_json_artifact(tmp_path / "a.json")
    with pytest.raises(BrokenPlanError, match="cannot be read"):
        read_json_artifact(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "a", "not bytes")  # type: ignore[arg-type]
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_parts_hash_as_the_whole() -> None:
    parts = {key: [msgspec.json.encode(value, order="sorted")] for key, value in CONTENT.items()}
    assert parts_id(parts) == content_id(CONTENT)
    assert lines_of(b"[", [], b"]") == [b"[]"]
    assert b"".join(lines_of(b"[", [b"1", b"2"], b"]")) == b"[\n1,\n2\n]"


def test_objects_with_one_end_are_hashed_in_one_pass() -> None:
    long = canonical_json(["é" * 50, "x"] * 40_000)  # longer than what is hashed at once
    end = memoryview(long.replace(b",", b",\n"))
    objects: list[dict[str, JsonText]] = [{"a": b"1", "c": end}, {"b": b"{}", "a": b"[2]", "c": end}, {"c": end}]
    expected = [hashlib.sha256(b'{"a":1,"c":' + long + b"}"), hashlib.sha256(b'{"a":[2],"b":{},"c":' + long + b"}")]
    assert ids_of_one_end(objects[:2]) == [digest.hexdigest() for digest in expected]
    assert ids_of_one_end(objects) == [parts_id({key: [text] for key, text in one.items()}) for one in objects]

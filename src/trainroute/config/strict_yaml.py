"""YAML in which a key stands once, and ``1e-2`` is a number."""

import re
from typing import Any

import yaml

_EXPONENT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+\Z")
"""Floats of YAML 1.2 (core schema, 10.3.2) with an exponent; YAML 1.1 asks for a point and a sign besides."""


def load_yaml(text: str) -> Any:  # noqa: ANN401 - a document may be anything
    """Parse YAML text.

    Raises
    ------
    yaml.YAMLError
        If it is not YAML, or a mapping has the same key twice; the message has the line.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is the safe loader, and stricter


class _Loader(yaml.SafeLoader):
    """The safe loader, which by itself lets the last of several equal keys win, and takes ``1e-2`` for text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the signature is PyYAML's
        first: dict[object, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
                continue
            name, line = self.construct_object(key), key.start_mark.line + 1
            if name in first:
                raise yaml.YAMLError(f"line {line}: {name!r} stands already in line {first[name]}; keep one of the two")
            first[name] = line
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))

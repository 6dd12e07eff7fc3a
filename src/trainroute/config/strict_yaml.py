"""YAML in which a key stands once, and words and numbers are what they look like, as in YAML 1.2.

``1e-2`` is a number, ``yes`` and ``ON`` are words, ``010`` is ten, and ``10:00`` is no number.
"""

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


_TAGS = {name: f"tag:yaml.org,2002:{name}" for name in ("bool", "int")}
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")


def _whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in _TAGS.values()]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_TAGS["bool"], _BOOL, list("tTfF"))
_Loader.add_implicit_resolver(_TAGS["int"], _INT, list("-+0123456789"))
_Loader.add_constructor(_TAGS["int"], _whole)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))

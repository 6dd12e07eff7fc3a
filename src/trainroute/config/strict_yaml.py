"""YAML in which a key stands once."""

from typing import Any

import yaml


def load_yaml(text: str) -> Any:  # noqa: ANN401 - a document may be anything
    """Parse YAML text.

    Raises
    ------
    yaml.YAMLError
        If it is not YAML, or a mapping has the same key twice; the message has the line.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is the safe loader, and stricter


class _Loader(yaml.SafeLoader):
    """The safe loader, which by itself lets the last of several equal keys win."""

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

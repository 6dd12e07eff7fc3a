"""Features whose name says that they look ahead, and features that the user's registry speaks of.

The names in `leakage.registry`, `.accept` and `.recipes` must be columns of the data, whichever were asked for: a name
that is mistyped would leave the feature that was meant unjudged.
"""

import re
from collections.abc import Iterator
from typing import ClassVar

from trainroute.errors import ConfigError, UnknownNameError
from trainroute.evaluate.evidence import LeakFinding
from trainroute.evaluate.leakage.base import LeakCheck, LeakContext
from trainroute.panel import data_columns
from trainroute.records.vocabulary import LeakageStatus

_LOOKS_AHEAD = re.compile(
    r"(?:^|[_.\-])(future|fwd|forward|next|ahead|lead|label|target|outcome)\d*(?:$|[_.\-])", re.IGNORECASE
)


class NameRules(LeakCheck):
    """A name is a reason to ask, not proof: SUSPECT. A registry entry is the user's word: BLOCKED or SAFE."""

    name: ClassVar[str] = "names"

    def find(self, context: LeakContext) -> Iterator[LeakFinding]:
        """Yield a finding per feature whose name or registry entry speaks against it.

        Raises
        ------
        ConfigError
            If a key of ``leakage`` names a column that the data do not have.
        """
        _require_known(context)
        registry = context.config.leakage.registry
        for feature in context.panel.features:
            verdict = registry.get(feature)
            match = _LOOKS_AHEAD.search(feature)
            if verdict == "BLOCKED":
                yield self._finding(context, feature, LeakageStatus.BLOCKED, "leakage.registry says BLOCKED")
            elif verdict is None and match is not None:
                detail = (
                    f"the name says that it looks ahead ({match[1]!r}); vouch for it in leakage.registry or .accept"
                )
                yield self._finding(context, feature, LeakageStatus.SUSPECT, detail)

    def _finding(self, context: LeakContext, feature: str, status: LeakageStatus, detail: str) -> LeakFinding:
        return LeakFinding(
            check=self.name,
            feature=feature,
            target=None,
            status=status,
            statistic=None,
            threshold=None,
            rows=context.panel.n_rows,
            detail=detail,
        )


def _require_known(context: LeakContext) -> None:
    """Raise ConfigError for the first name in the config that neither the panel nor its files have."""
    leakage, known = context.config.leakage, set(context.panel.features)
    named = {"registry": leakage.registry, "accept": leakage.accept, "recipes": leakage.recipes}
    if known.issuperset(name for names in named.values() for name in names):
        return
    known |= data_columns(context.data_dir)
    for key, names in named.items():
        for name in sorted(set(names).difference(known)):
            raise ConfigError(f"leakage.{key}: {UnknownNameError('column', name, known)}")

"""The names and the order of all families, and the groups that `--model-types` names.

A family is added by its file; this page only says in which order stages run and what a group means. Families of other
distributions come last, and every group includes them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainroute.errors import UnknownNameError

CPU_FAMILIES = (
    "LightGBM",
    "QuantileLightGBM",
    "XGBoost",
    "RewardBased",
    "NGBoost",
    "GMMRegime",
    "ChangePoint",
    "FTRLProximal",
    "Ensemble",
    "MetaLearning",
)
KERAS_FAMILIES = ("MLP", "VAE", "GAN", "MultiTask")
TORCH_FAMILIES = ("CNN1D", "LSTM", "Transformer", "TabCNN", "TabLSTM", "TabTransformer")
TWO_STAGE_ORDER = (*CPU_FAMILIES, *KERAS_FAMILIES, *TORCH_FAMILIES)

GROUPS: dict[str, tuple[str, ...]] = {
    "sequential": TWO_STAGE_ORDER,
    "cross-sectional": (*CPU_FAMILIES, *KERAS_FAMILIES),
    "both": TWO_STAGE_ORDER,
}
STANDARD = "standard"


@dataclass(frozen=True, kw_only=True)
class FamilySelection:
    """The families that a run was asked for.

    Attributes
    ----------
    names : tuple of str
        In two-stage order.
    by_name : bool
        Whether the user named them; then a missing library is a failure.
    """

    names: tuple[str, ...]
    by_name: bool = False


def two_stage_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort family names in the order in which they run; those that the roster does not know come last, by name."""
    place = {name: number for number, name in enumerate(TWO_STAGE_ORDER)}
    return tuple(sorted(set(names), key=lambda name: (place.get(name, len(place)), name)))


def select_from(
    available: Sequence[str], *, names: Sequence[str] | None, group: str, standard: Sequence[str]
) -> FamilySelection:
    """Turn what a user asked for into families that exist; see `trainroute.families.select_families`."""
    if names is not None:
        return FamilySelection(names=two_stage_order(_named(available, name) for name in names), by_name=True)
    if group == STANDARD:
        return FamilySelection(names=two_stage_order(_named(available, name) for name in standard))
    if group not in GROUPS:
        raise UnknownNameError("model type", group, (*GROUPS, STANDARD))
    extensions = set(available).difference(TWO_STAGE_ORDER)
    return FamilySelection(names=two_stage_order((*GROUPS[group], *extensions)))


def _named(available: Sequence[str], name: str) -> str:
    known = {member.casefold(): member for member in available}
    if name.casefold() not in known:
        raise UnknownNameError("model family", name, available)
    return known[name.casefold()]

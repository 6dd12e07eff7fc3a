"""The loss of a network that answers several questions at once, where some of the answers are unknown."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from trainroute.networks.keras_backend import load_keras

if TYPE_CHECKING:
    from keras import KerasTensor

Loss = Callable[["KerasTensor", "KerasTensor"], "KerasTensor"]


class Kind(StrEnum):
    """What kind of question a block of outputs answers."""

    BINARY = "binary"
    CLASSES = "classes"
    VALUES = "values"


class Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Outputs that stand side by side and are trained by one loss.

    Attributes
    ----------
    kind : Kind
        ``binary``: one logit, one label 0 or 1. ``classes``: one logit per class, one label, its number. ``values``:
        as many labels as outputs.
    size : int
        The number of outputs.
    weight : float
        The block's share in the sum of losses.
    """

    kind: Kind
    size: int
    weight: float = 1.0

    @property
    def n_labels(self) -> int:
        """The number of label columns."""
        return self.size if self.kind is Kind.VALUES else 1


def masked_loss(blocks: Sequence[Block]) -> Loss:
    """Return the weighted sum of the blocks' mean losses; a label that is NaN teaches nothing.

    The loss of a block is the mean over its known labels of the cross-entropy (binary, classes) or of half the squared
    error (values: the negative log-likelihood of a normal distribution with unit variance, up to a constant).
    """
    ops = load_keras().ops

    def elementwise(block: Block, labels: "KerasTensor", outputs: "KerasTensor") -> "KerasTensor":
        if block.kind is Kind.VALUES:
            return 0.5 * ops.square(labels - outputs)
        if block.kind is Kind.BINARY:
            return ops.binary_crossentropy(labels, outputs, from_logits=True)
        classes = ops.cast(labels[:, 0], "int32")
        return ops.expand_dims(ops.sparse_categorical_crossentropy(classes, outputs, from_logits=True), -1)

    def loss(labels: "KerasTensor", outputs: "KerasTensor") -> "KerasTensor":
        total, label, output = 0.0, 0, 0
        for block in blocks:
            given = labels[:, label : label + block.n_labels]
            known = ops.logical_not(ops.isnan(given))
            each = elementwise(block, ops.where(known, given, 0.0), outputs[:, output : output + block.size])
            known = ops.cast(known, each.dtype)
            total = total + block.weight * ops.sum(each * known) / ops.maximum(ops.sum(known), 1.0)
            label, output = label + block.n_labels, output + block.size
        return total

    return loss

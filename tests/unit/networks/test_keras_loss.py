"""The masked loss against the formulas, written out in NumPy."""

import numpy as np
import pytest

from trainroute.families import FAMILIES
from trainroute.networks.keras_backend import as_numpy, load_keras
from trainroute.networks.keras_loss import Block, Kind, masked_loss

if FAMILIES.get("MLP").missing_libraries():
    pytest.skip("Keras is not installed", allow_module_level=True)

BLOCKS = (
    Block(kind=Kind.CLASSES, size=3),
    Block(kind=Kind.BINARY, size=1, weight=0.5),
    Block(kind=Kind.VALUES, size=2, weight=2.0),
)


def _loss(labels: np.ndarray, outputs: np.ndarray) -> float:
    ops = load_keras().ops
    found = masked_loss(BLOCKS)(ops.convert_to_tensor(labels), ops.convert_to_tensor(outputs))
    return float(as_numpy(found))


def _labels_and_outputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.column_stack([rng.integers(0, 3, 40), rng.integers(0, 2, 40), rng.normal(size=(40, 2))])
    return labels.astype(np.float32), rng.normal(size=(40, 6)).astype(np.float32)


def test_the_loss_is_the_weighted_sum_of_means_over_known_labels() -> None:
    labels, outputs = _labels_and_outputs()
    labels[::3, 1] = np.nan
    labels[1::4, 2] = np.nan
    logits = outputs[:, :3].astype(np.float64)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = -np.log(chances[np.arange(40), labels[:, 0].astype(int)]).mean()
    chance = 1.0 / (1.0 + np.exp(-outputs[:, 3].astype(np.float64)))
    binary = np.nanmean(-labels[:, 1] * np.log(chance) - (1.0 - labels[:, 1]) * np.log(1.0 - chance))
    values = np.nanmean(0.5 * (labels[:, 2:] - outputs[:, 4:]) ** 2)
    assert _loss(labels, outputs) == pytest.approx(classes + 0.5 * binary + 2.0 * values, rel=1e-5)


def test_outputs_whose_labels_are_unknown_do_not_matter() -> None:
    labels, outputs = _labels_and_outputs()
    labels[:, 1:] = np.nan
    other = outputs.copy()
    other[:, 3:] = 99.0
    assert _loss(labels, outputs) == _loss(labels, other)
    assert np.isfinite(_loss(labels, outputs))

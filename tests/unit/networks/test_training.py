import math

import numpy as np
import pytest
import torch
from torch import nn

from trainroute.errors import TrainingError
from trainroute.networks.batches import RowBatches
from trainroute.networks.heads import Head, head_of
from trainroute.networks.training import ROWS_OF_A_PREDICTION, Examples, Schedule, predict, train
from trainroute.records.vocabulary import Task

CPU = torch.device("cpu")
REGRESSION = head_of(Task.REGRESSION, 0)


def _schedule(**changes: float) -> Schedule:
    settings: dict = {
        "epochs": 30,
        "patience": 3,
        "epochs_without_validation": 5,
        "batch_rows": 32,
        "batches_per_epoch": 100,
        "learning_rate": 0.05,
        "weight_decay": 0.0,
    }
    return Schedule(**{**settings, **changes})


def _line(n_rows: int, *, seed: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n_rows, 2)).astype(np.float32)
    labels = inputs @ np.array([1.0, -2.0]) + 0.5 + noise * rng.normal(size=n_rows)
    return inputs, labels.astype(np.float32)


def _examples(n_rows: int, *, seed: int, noise: float = 0.1) -> Examples:
    inputs, labels = _line(n_rows, seed=seed, noise=noise)
    return Examples(RowBatches(inputs, CPU), labels)


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(2, 1)


def _overfitting_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 1))


def test_the_loop_finds_the_line() -> None:
    network = _network()
    train(network, _examples(400, seed=1), _examples(100, seed=2), head=REGRESSION, schedule=_schedule(), seed=0)
    np.testing.assert_allclose(network.weight.detach().numpy(), [[1.0, -2.0]], atol=0.05)  # type: ignore[union-attr]


def test_training_goes_back_to_the_weights_of_the_best_epoch() -> None:
    network = _overfitting_network()
    validation = _examples(60, seed=2, noise=3.0)
    settings = {"head": REGRESSION, "seed": 0}
    done = train(network, _examples(60, seed=1, noise=3.0), validation, schedule=_schedule(patience=4), **settings)
    assert done.validation_loss is not None
    assert done.epochs == done.best_epoch + 4 < 30
    (inputs,), labels = validation.take(validation.rows)
    assert REGRESSION.loss(network(inputs), labels).item() == pytest.approx(done.validation_loss, rel=1e-5)
    again = _overfitting_network()
    exactly = _schedule(epochs_without_validation=done.best_epoch)
    train(again, _examples(60, seed=1, noise=3.0), None, schedule=exactly, **settings)
    for kept, repeated in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(kept, repeated, rtol=0, atol=0)


def test_no_more_validation_rows_are_measured_than_an_epoch_takes() -> None:
    inputs, labels = _line(1000, seed=2)
    labels[::2] = np.nan
    validation = Examples(RowBatches(inputs, CPU), labels)
    assert validation.spread(100).tolist() == list(range(1, 1000, 10))
    assert torch.equal(validation.spread(500), validation.rows)
    assert torch.equal(validation.spread(9000), validation.rows)
    schedule = _schedule(epochs=1, batches_per_epoch=3)
    network = _network()
    done = train(network, _examples(400, seed=1), validation, head=REGRESSION, schedule=schedule, seed=0)
    (taken,), expected = validation.take(validation.spread(96))
    assert done.validation_loss == pytest.approx(REGRESSION.loss(network(taken), expected).item(), rel=1e-5)


def test_training_ends_with_the_last_epoch_at_the_latest() -> None:
    schedule = _schedule(epochs=3, learning_rate=1e-4)
    done = train(_network(), _examples(100, seed=1), _examples(60, seed=2), head=REGRESSION, schedule=schedule, seed=0)
    assert (done.epochs, done.best_epoch) == (3, 3)


def test_without_validation_rows_a_fixed_number_of_epochs_is_done() -> None:
    done = train(_network(), _examples(100, seed=1), None, head=REGRESSION, schedule=_schedule(), seed=0)
    assert (done.epochs, done.best_epoch, done.validation_loss) == (5, 5, None)


def test_the_seed_is_the_order_of_the_rows() -> None:
    weights = []
    for seed in (1, 1, 2):
        network = _network()
        train(network, _examples(100, seed=1), None, head=REGRESSION, schedule=_schedule(), seed=seed)
        weights.append(network.weight.detach().clone())  # type: ignore[operator]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_rows_without_a_label_teach_nothing_by_themselves() -> None:
    inputs, labels = _line(200, seed=1)
    labels[::2] = np.nan
    examples = Examples(RowBatches(inputs, CPU), labels)
    assert len(examples) == 100
    found, expected = _network(), _network()
    train(found, examples, None, head=REGRESSION, schedule=_schedule(), seed=0)
    known = Examples(RowBatches(inputs[1::2].copy(), CPU), labels[1::2].copy())
    train(expected, known, None, head=REGRESSION, schedule=_schedule(), seed=0)
    assert torch.equal(found.weight, expected.weight)  # type: ignore[arg-type]


@pytest.mark.parametrize("validated", [True, False])
def test_a_loss_that_is_no_number_ends_the_training_with_what_to_do(validated: bool) -> None:
    with pytest.raises(TrainingError, match=r"has become (inf|nan); lower the hyperparameter learning_rate"):
        train(
            _network(),
            _examples(100, seed=1),
            _examples(60, seed=2) if validated else None,
            head=REGRESSION,
            schedule=_schedule(learning_rate=1e36),
            seed=0,
        )


def test_epochs_are_split_into_batches_of_equal_size() -> None:
    sizes = []

    class Watching(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            sizes.append(len(inputs))
            return super().forward(inputs)

    schedule = _schedule(epochs_without_validation=1, batch_rows=32)
    train(Watching(2, 1), _examples(97, seed=1), None, head=REGRESSION, schedule=schedule, seed=0)
    assert sizes == [25, 24, 24, 24]
    sizes.clear()
    schedule = _schedule(epochs_without_validation=2, batch_rows=32, batches_per_epoch=2)
    train(Watching(2, 1), _examples(97, seed=1), None, head=REGRESSION, schedule=schedule, seed=0)
    assert sizes == [32, 32, 32, 32]


@pytest.mark.parametrize("n_rows", [0, 1, ROWS_OF_A_PREDICTION, ROWS_OF_A_PREDICTION + 1])
def test_every_row_is_predicted_once_in_batches_of_one_size(n_rows: int) -> None:
    sizes = set()

    class Watching(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            sizes.add(len(inputs))
            return inputs[:, :1]

    inputs = np.arange(2 * n_rows, dtype=np.float32).reshape(n_rows, 2)
    found = predict(Watching(2, 1), RowBatches(inputs, CPU), REGRESSION)
    np.testing.assert_array_equal(found, inputs[:, 0])
    assert sizes <= {ROWS_OF_A_PREDICTION}


def _loss(head: Head, outputs: list[list[float]], labels: list[float]) -> float:
    return head.loss(torch.tensor(outputs), torch.tensor(labels)).item()


def test_the_heads_are_their_formulas() -> None:
    binary, classes = head_of(Task.BINARY, 2), head_of(Task.MULTICLASS, 3)
    assert (binary.n_outputs, classes.n_outputs, REGRESSION.n_outputs) == (1, 3, 1)
    p = 1 / (1 + math.exp(-0.7))
    assert _loss(binary, [[0.7], [0.7]], [1.0, 0.0]) == pytest.approx(-(math.log(p) + math.log(1 - p)) / 2)
    assert binary.prediction(torch.tensor([[0.7]])).tolist() == pytest.approx([p])
    shares = np.exp([0.1, 0.2, 0.9]) / np.exp([0.1, 0.2, 0.9]).sum()
    assert _loss(classes, [[0.1, 0.2, 0.9]], [2.0]) == pytest.approx(-math.log(shares[2]))
    np.testing.assert_allclose(classes.prediction(torch.tensor([[0.1, 0.2, 0.9]]))[0], shares, rtol=1e-6)
    assert _loss(REGRESSION, [[1.0], [4.0]], [2.0, 2.0]) == pytest.approx(2.5)
    assert REGRESSION.prediction(torch.tensor([[1.0], [4.0]])).tolist() == [1.0, 4.0]

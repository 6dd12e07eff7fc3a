"""What each network may see of its input."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainroute.networks.attention import FeatureAttention, SequenceAttention
from trainroute.networks.convolution import CausalBlock, FeatureConvolution, SequenceConvolution
from trainroute.networks.recurrence import FeatureMemory, SequenceMemory
from trainroute.networks.tokens import FeatureTokens

LENGTH = 16
COLUMNS = ((0, 3), (1, -1), (2, -1), (-1, 4))
SEQUENCES: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: SequenceConvolution(3, 2, length=LENGTH, channels=8, dropout=0.5),
    "memory": lambda: SequenceMemory(3, 2, width=8, layers=2, dropout=0.5),
    "attention": lambda: SequenceAttention(3, 2, length=LENGTH, width=8, heads=2, layers=2, dropout=0.5),
}
ROWS: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: FeatureConvolution(5, 2, positions=4, channels=6, dropout=0.5),
    "memory": lambda: FeatureMemory(COLUMNS, 2, token_width=4, width=8, dropout=0.5),
    "attention": lambda: FeatureAttention(COLUMNS, 2, width=8, heads=2, layers=2, dropout=0.5),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def _built(make: Callable[[], nn.Module]) -> nn.Module:
    return make().eval()


def _gradient(network: nn.Module, *arguments: Tensor) -> Tensor:
    first = arguments[0].clone().requires_grad_()
    network(first, *arguments[1:]).sum().backward()
    assert first.grad is not None
    return first.grad


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_row_of_a_sequence_reaches_the_output(name: str) -> None:
    steps, present = torch.randn(4, LENGTH, 3), torch.ones(4, LENGTH, dtype=torch.bool)
    network = _built(SEQUENCES[name])
    assert network(steps, present).shape == (4, 2)
    assert (_gradient(network, steps, present) != 0).all()


@pytest.mark.parametrize("name", ["convolution", "attention"])
def test_what_stands_in_the_padding_does_not_reach_the_output(name: str) -> None:
    steps, present = torch.randn(4, LENGTH, 3), torch.ones(4, LENGTH, dtype=torch.bool)
    present[:, :5] = False
    steps = steps * present[:, :, None]
    network = _built(SEQUENCES[name])
    before = network(steps, present)
    if name == "attention":
        steps[:, :5] = 9.0
        torch.testing.assert_close(network(steps, present), before, rtol=0, atol=0)
    gradient = _gradient(network, steps, present)
    assert (gradient[:, :5] == 0).all()
    assert (gradient[:, 5:] != 0).all()


@pytest.mark.parametrize("name", SEQUENCES)
def test_padding_is_told_from_rows_of_zeros(name: str) -> None:
    steps, present = torch.zeros(1, LENGTH, 3), torch.ones(1, LENGTH, dtype=torch.bool)
    fewer = present.clone()
    fewer[:, :9] = False
    network = _built(SEQUENCES[name])
    assert not torch.equal(network(steps, present), network(steps, fewer))


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_order_of_rows_matters(name: str) -> None:
    steps, present = torch.randn(1, LENGTH, 3), torch.ones(1, LENGTH, dtype=torch.bool)
    swapped = steps.clone()
    swapped[:, [2, 9]] = steps[:, [9, 2]]
    network = _built(SEQUENCES[name])
    assert not torch.equal(network(steps, present), network(swapped, present))


def test_a_causal_convolution_looks_back_only_and_by_its_dilation() -> None:
    block = CausalBlock(4, dilation=3, dropout=0.0)
    steps = torch.randn(1, 4, 30)
    changed = steps.clone()
    changed[:, :, 20] += 5.0
    moved = (block(changed) != block(steps)).any(dim=1)[0]
    assert not moved[:20].any()
    assert set(torch.nonzero(moved).flatten().tolist()) <= {20, 23, 26, 29}
    assert moved[20]


@pytest.mark.parametrize("length", [1, 2, 5, 6, 16, 40])
def test_convolutions_are_stacked_until_the_last_step_sees_all(length: int) -> None:
    network = SequenceConvolution(3, 1, length=length, channels=8, dropout=0.0).eval()
    gradient = _gradient(network, torch.randn(64, length, 3), torch.ones(64, length, dtype=torch.bool))
    assert (gradient != 0).any(dim=2).any(dim=0).all()


@pytest.mark.parametrize("name", ROWS)
def test_every_feature_reaches_the_output(name: str) -> None:
    network = _built(ROWS[name])
    inputs = torch.randn(7, 5)
    assert network(inputs).shape == (7, 2)
    assert (_gradient(network, inputs) != 0).all()


def test_a_feature_and_whether_it_is_missing_are_one_token() -> None:
    layer = FeatureTokens(COLUMNS, 3)
    inputs = torch.tensor([[0.5, -2.0, 1.5, 0.0, 0.0], [0.0, 0.1, 0.2, 1.0, 1.0]])
    direction, absence, offset = layer.direction, layer.absence, layer.offset
    expected = [
        [0.5 * direction[0], -2.0 * direction[1], 1.5 * direction[2], 0.0 * offset[3]],
        [absence[0], 0.1 * direction[1], 0.2 * direction[2], absence[3]],
    ]
    torch.testing.assert_close(layer(inputs), torch.stack([torch.stack(row) + offset for row in expected]))


def test_a_missing_value_is_told_from_the_mean() -> None:
    mean, missing = torch.zeros(1, 5), torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0]])
    for name in ("memory", "attention"):
        network = _built(ROWS[name])
        assert not torch.equal(network(mean), network(missing))


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_read_by_itself(name: str) -> None:
    network = _built(ROWS[name])
    inputs = torch.randn(7, 5)
    changed = inputs.clone()
    changed[3:] = 100.0
    torch.testing.assert_close(network(changed)[:3], network(inputs)[:3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", [*SEQUENCES.values(), *ROWS.values()])
def test_dropout_is_for_training_only(make: Callable[[], nn.Module]) -> None:
    network = make()
    names = {type(module) for module in network.modules()}
    arguments = (
        (torch.randn(4, 5),)
        if {FeatureConvolution, FeatureMemory, FeatureAttention} & names
        else (torch.randn(4, LENGTH, 3), torch.ones(4, LENGTH, dtype=torch.bool))
    )
    network.train()
    assert not torch.equal(network(*arguments), network(*arguments))
    network.eval()
    assert torch.equal(network(*arguments), network(*arguments))

import logging

import pytest
import torch

from trainroute.networks.device import fits_device, reproducible, say_cpu_fallback, torch_device, torch_threads

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")


@no_gpu
def test_the_cpu_takes_over_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    say_cpu_fallback.cache_clear()
    with caplog.at_level(logging.INFO, logger="trainroute"):
        assert [torch_device().type for _ in range(3)] == ["cpu"] * 3
    assert caplog.messages == ["GPU stage: no CUDA device is visible; torch computes on the CPU"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is there")
def test_a_cuda_device_is_used_where_it_is() -> None:
    assert torch_device().type == "cuda"
    assert fits_device(1_000_000, torch_device())
    assert not fits_device(10**15, torch_device())


def test_main_memory_always_fits() -> None:
    assert fits_device(10**15, torch.device("cpu"))


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), torch_threads(before + 1):
        1 / 0  # noqa: B018 - a fit that fails
    assert torch.get_num_threads() == before


def test_the_seed_rules_inside_and_leaves_no_trace() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drawn = []
    for _ in range(2):
        with reproducible(7):
            drawn.append(torch.rand(3))
            assert torch.are_deterministic_algorithms_enabled()
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()

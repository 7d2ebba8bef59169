"""Linear layers by the processor's kernels, and the loss of tokens from their states, are what torch makes of them."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from mi.external.local_driver import heads, linear
from mi.external.local_driver.models import load
from mi.llm.data_models import Model


@pytest.fixture(params=["AuthenticAMD", "GenuineIntel"])
def maker(request, monkeypatch, tmp_path) -> Iterator[str]:
    """A processor of one maker or the other, as far as can be told."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {request.param}\n")
    monkeypatch.setattr(linear, "_CPUINFO", tmp_path / "cpuinfo")
    linear._by_onednn.cache_clear()
    yield request.param
    linear._by_onednn.cache_clear()


def close(one: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-5) -> bool:
    """Whether two tensors are the same but for the rounding of sums."""
    return torch.allclose(one, other, rtol=rtol, atol=atol)


def layer_and_twin(bias: bool, dtype: torch.dtype) -> tuple[Any, nn.Linear]:
    torch.manual_seed(0)
    twin = nn.Linear(24, 40, bias=bias, dtype=dtype)
    layer = nn.Sequential(copy.deepcopy(twin))
    linear.suit(layer)
    return layer[0], twin


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 3, 24), (2, 16, 24), (70, 24), (3, 5, 7, 24)], ids=str)
def test_a_layer_and_its_gradients_are_those_of_torch(maker, bias, dtype, shape) -> None:
    layer, twin = layer_and_twin(bias, dtype)
    x = torch.randn(shape, dtype=dtype)
    ours, theirs = (x.clone().requires_grad_(True) for _ in range(2))
    outs = layer(ours), twin(theirs)
    for out in outs:
        out.add_(1.0)  # as an adapter adds to it
        (out * out.detach().cos()).sum().backward()
    assert close(*outs)
    assert close(ours.grad, theirs.grad)
    for one, other in zip(layer.parameters(), twin.parameters(), strict=True):
        assert close(one.grad, other.grad)


def test_a_layer_whose_input_has_no_gradient_gives_its_weights_theirs(maker) -> None:
    layer, twin = layer_and_twin(False, torch.float32)
    x = torch.randn(32, 24)
    layer(x).sum().backward()
    twin(x).sum().backward()
    assert close(layer.weight.grad, twin.weight.grad)


def test_a_frozen_layer_makes_no_gradient_where_nothing_below_it_has_one() -> None:
    layer, _ = layer_and_twin(True, torch.float32)
    layer.requires_grad_(False)
    assert not layer(torch.randn(32, 24)).requires_grad


def test_only_another_makers_processor_has_its_products_made_by_onednn(maker, monkeypatch) -> None:
    made = []
    monkeypatch.setattr(
        torch.ops.mkldnn, "_linear_pointwise", lambda x, weight, *_: made.append(x) or x @ weight.T, raising=False
    )
    layer, twin = layer_and_twin(False, torch.float32)
    x = torch.randn(2, 16, 24)
    assert torch.allclose(layer(x), twin(x), atol=1e-6)
    assert bool(made) == (maker == "AuthenticAMD")
    assert linear.is_linear(layer) and linear.is_linear(twin)


def test_a_processor_that_does_not_say_who_made_it_is_left_to_torch(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(linear, "_CPUINFO", tmp_path / "none")
    linear._by_onednn.cache_clear()
    layer, _ = layer_and_twin(False, torch.float32)
    linear._by_onednn.cache_clear()
    assert type(layer) is nn.Linear


def test_a_model_says_the_same_by_either_kernels(maker, model_folder) -> None:
    loaded = load(Model(str(model_folder), "local"))
    plain = copy.deepcopy(loaded.model)
    for module in plain.modules():
        if linear.is_linear(module):
            module.__class__ = nn.Linear
    linear.suit(ours := copy.deepcopy(plain))
    ids = torch.arange(5, 45)[None]
    with torch.inference_mode():
        assert torch.allclose(ours(ids).logits, plain(ids).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 15, 16, 50, 333])
@pytest.mark.parametrize("vocabulary", [40, 6144, 40_000])
def test_losses_and_their_gradients_are_those_of_all_logits_at_once(maker, n, vocabulary) -> None:
    torch.manual_seed(n)
    matrix, targets = torch.randn(vocabulary, 8), torch.randint(0, vocabulary, (n,))
    weights = torch.rand(n)
    states = 30 * torch.randn(n, 8)
    ours, theirs = (states.clone().requires_grad_(True) for _ in range(2))
    losses = heads.weighted_losses()(ours, matrix, targets, weights)
    wanted = cross_entropy(theirs @ matrix.T, targets, reduction="none") * weights
    (3 * losses.sum()).backward()
    (3 * wanted.sum()).backward()
    assert close(losses, wanted)
    assert close(ours.grad, theirs.grad, 1e-4, 1e-4)


def test_a_loss_in_sixteen_bits_is_that_of_the_rounded_logits() -> None:
    torch.manual_seed(0)
    matrix, states = torch.randn(64, 8).bfloat16(), torch.randn(20, 8).bfloat16()
    targets, weights = torch.randint(0, 64, (20,)), torch.ones(20)
    ours, theirs = (states.clone().requires_grad_(True) for _ in range(2))
    losses = heads.weighted_losses()(ours, matrix, targets, weights)
    wanted = cross_entropy((theirs @ matrix.T).float(), targets, reduction="none")
    losses.sum().backward()
    wanted.sum().backward()
    assert close(losses, wanted)
    assert ours.grad is not None and ours.grad.dtype == torch.bfloat16 and close(ours.grad, theirs.grad, 0.02, 0.02)


def test_a_head_is_plain_where_it_is_one_frozen_matrix() -> None:
    frozen = nn.Linear(4, 9, bias=False).requires_grad_(False)
    assert heads.is_plain(frozen)
    assert not heads.is_plain(nn.Linear(4, 9, bias=False))
    assert not heads.is_plain(nn.Linear(4, 9).requires_grad_(False))
    assert not heads.is_plain(nn.Identity())

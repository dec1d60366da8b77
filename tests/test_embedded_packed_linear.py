import pytest
import torch
from torch import nn

from arf_programs.models.embedded.layers import PackedLinear, pack_linears


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 100])
def test_same_product(bias, rows):
    torch.manual_seed(0)
    linear = nn.Linear(48, 80, bias=bias)
    x = torch.randn(2, rows, 48)
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(linear)(x), linear(x), rtol=1e-4, atol=1e-5)


def test_every_linear_is_replaced():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    pack_linears(model)
    assert isinstance(model[0], PackedLinear)
    assert isinstance(model[1][1], PackedLinear)


def test_a_pytorch_without_the_operators_keeps_its_own_layers(monkeypatch):
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    model = nn.Sequential(nn.Linear(4, 4))
    pack_linears(model)
    assert type(model[0]) is nn.Linear

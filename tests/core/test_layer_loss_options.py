"""What looks settable of a loss or a layer is; what is not a number, a name or a switch is named."""

import copy
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch

from physnn import (
    DynamicLinear,
    ExperimentalLayer,
    GinzburgLandauLoss,
    dynamic_linear,
    ginzburg_landau_density,
    ginzburg_landau_loss,
)

COEFFICIENTS = ("quadratic", "quartic", "spatial")
NOT_NUMBERS = [True, "1.0", None, 1j, [1.0], np.bool_(True), np.zeros(2)]
LEARNED = [torch.tensor(1.0), torch.nn.Parameter(torch.tensor(1.0))]


def given():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 5, generator=generator), torch.arange(4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quadratic", 2.0), ("quartic", 0.0), ("spatial", -1.0), ("norm", "sample"), ("boundary", "zero"),
        ("outer", "none"), ("fused", False),
    ],
)  # fmt: skip
def test_an_option_of_a_loss_is_what_it_is_set_to(name, value):
    phi, target = given()
    loss, other = GinzburgLandauLoss(), GinzburgLandauLoss(**{name: value})
    assert getattr(other, name) == value != getattr(loss, name)
    setattr(loss, name, value)
    assert torch.equal(loss(phi, target), other(phi, target)) and repr(loss) == repr(other)
    assert f"{name}={value!r}" in repr(loss)
    for copied in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(copied(phi, target), other(phi, target)) and repr(copied) == repr(other)
    assert loss.state_dict() == {} and not list(loss.parameters())


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_a_coefficient_is_a_number(name):
    phi, target = given()
    loss = GinzburgLandauLoss()
    before = getattr(loss, name)
    ways = (
        lambda value: GinzburgLandauLoss(**{name: value}),
        lambda value: setattr(loss, name, value),
        lambda value: ginzburg_landau_loss(phi, target, **{name: value}),
        lambda value: ginzburg_landau_density(phi, target, **{name: value}),
    )
    for way in ways:
        for value in NOT_NUMBERS:
            with pytest.raises(TypeError, match=f"{name} must be a number, got "):
                way(value)
        for value in LEARNED:
            with pytest.raises(
                TypeError, match=f"{name} must be a number and is not learned, got a {type(value).__name__}"
            ):
                way(value)
        for value in (math.nan, -math.inf, np.float32("inf")):
            with pytest.raises(ValueError, match=f"{name} must be finite, got"):
                way(value)
        for value in (2, 2.0, np.float32(2), np.int64(2), Fraction(2)):
            way(value)
    assert before != 2 == getattr(loss, name) and type(getattr(loss, name)) is float


@pytest.mark.parametrize("name", ["norm", "boundary", "outer"])
@pytest.mark.parametrize("value", ["wrap", None, True, 1, ["batch"], np.array(["batch", "sample"])])
def test_a_name_is_a_known_one(name, value):
    loss = GinzburgLandauLoss()
    for way in (lambda: GinzburgLandauLoss(**{name: value}), lambda: setattr(loss, name, value)):
        with pytest.raises(ValueError, match=f"{name} must be one of "):
            way()
    assert repr(loss) == repr(GinzburgLandauLoss())


@pytest.mark.parametrize("value", [0, 1, "yes", 1.0, np.bool_(True)])
def test_a_switch_is_true_false_or_none(value):
    phi, target = given()
    for way in (
        lambda: GinzburgLandauLoss(fused=value),
        lambda: setattr(GinzburgLandauLoss(), "fused", value),
        lambda: ginzburg_landau_loss(phi, target, fused=value),
        lambda: DynamicLinear(3, 2, fused=value),
        lambda: setattr(DynamicLinear(3, 2), "fused", value),
        lambda: dynamic_linear(torch.ones(2, 3), torch.ones(2, 3), torch.zeros(()), torch.ones(1), fused=value),
    ):
        with pytest.raises(TypeError, match="fused must be True, False or None, got"):
            way()


def test_what_is_no_tensor_is_named():
    phi, target = given()
    loss = GinzburgLandauLoss()
    for labels in (target.numpy(), target.tolist(), 3, None):
        with pytest.raises(TypeError, match=r"target must be a tensor, got a .*torch.as_tensor\(target\)"):
            loss(phi, labels)
    with pytest.raises(TypeError, match="target must be a tensor, got a ndarray"):
        loss(phi, phi.numpy())
    with pytest.raises(TypeError, match="phi must be a tensor, got a ndarray"):
        loss(phi.numpy(), target)
    with pytest.raises(TypeError, match=r"expected a tensor, got a ndarray; pass torch.as_tensor\(x\)"):
        DynamicLinear(5, 2, position="normalized")(phi.numpy())


@pytest.mark.parametrize("name", ["gate", "beta"])
def test_the_numbers_of_a_layer(name):
    for value in NOT_NUMBERS:
        if name == "gate" and isinstance(value, str):
            continue
        with pytest.raises(TypeError, match=f"{name} must be a number, got"):
            DynamicLinear(3, 2, **{name: value})
    for value in LEARNED:
        with pytest.raises(TypeError, match=f"{name} must be a number and is not learned"):
            DynamicLinear(3, 2, **{name: value})
    with pytest.raises(ValueError, match=r"must be.* finite"):
        DynamicLinear(3, 2, **{name: math.inf})


def test_the_options_of_a_layer_can_be_read_and_set():
    x = torch.randn(4, 3)
    layer = DynamicLinear(3, 2, beta=0.3, position="ones", gate=0.5)
    assert (layer.in_features, layer.out_features, layer.beta_init) == (3, 2, 0.3)
    assert (layer.position_kind, layer.gate, layer.fused) == ("ones", 0.5, None)
    assert "in_features=3, out_features=2, beta=0.3, position='ones', gate=0.5, bias=False" in repr(layer)
    before = layer(x)
    layer.gate = "input"
    assert not torch.equal(layer(x), before)
    layer.gate = np.float64(0.5)
    assert torch.equal(layer(x), before) and layer.gate == 0.5
    layer.beta_init = 0.7
    layer.reset_parameters()
    assert layer.beta.item() == pytest.approx(0.7)
    layer.fused = False
    assert "fused=False" in repr(layer)
    for name, value in (("gate", "output"), ("gate", math.nan), ("beta_init", math.inf)):
        with pytest.raises(ValueError, match=f"{name} must be"):
            setattr(layer, name, value)
    for name, value in (("gate", None), ("beta_init", "0.1"), ("beta_init", torch.tensor(0.1)), ("fused", 1)):
        with pytest.raises(TypeError, match=f"{name} must be"):
            setattr(layer, name, value)
    for name in ("in_features", "out_features", "position_kind"):
        with pytest.raises(AttributeError, match=f"{name} of a DynamicLinear cannot be changed"):
            setattr(layer, name, getattr(layer, name))


@pytest.mark.parametrize("position", ["index", "normalized", "ones", "permuted", "learned"])
def test_the_position_that_is_read_is_the_one_that_is_used(position):
    layer = DynamicLinear(7, 3, position=position, gate=0.3).double()
    x = torch.randn(2, 7, dtype=torch.float64)
    a = layer.position
    scale = a * torch.cosh(5 * layer.beta) + 0.3 * layer.t * torch.sinh(5 * layer.beta)
    torch.testing.assert_close(layer(x), (scale * x) @ layer.weight.T)
    torch.testing.assert_close(
        layer(x), dynamic_linear(x, layer.weight, layer.beta, layer.t, position=a, gate=0.3), rtol=0, atol=0
    )


@pytest.mark.parametrize("bias", [1, "no", None])
def test_a_bias_is_there_or_not(bias):
    with pytest.raises(TypeError, match="bias must be True or False, got"):
        DynamicLinear(3, 2, bias=bias)


@pytest.mark.parametrize("size", [3.0, "3", None, True])
def test_a_size_is_an_integer(size):
    for make in (lambda: DynamicLinear(size, 2), lambda: DynamicLinear(2, size)):
        with pytest.raises(TypeError, match="_features must be an integer, got"):
            make()
    with pytest.raises(TypeError, match="input_size must be an integer, got"):
        ExperimentalLayer(size, 2, 0.1)
    assert DynamicLinear(np.int64(3), 2).in_features == 3


@pytest.mark.parametrize("name", ["beta_init", "alpha", "gamma"])
def test_the_numbers_of_the_posts_class(name):
    options = {"beta_init": 0.1}
    for value in (True, None, "1", torch.nn.Parameter(torch.ones(()))):
        with pytest.raises(TypeError, match=f"{name} must be a number"):
            ExperimentalLayer(3, 2, **{**options, name: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight": torch.ones(3)}, r"weight must have shape \(m, n\), got \(3,\)"),
        ({"beta": torch.ones(2)}, r"beta must have shape \(\) or \(1,\), got \(2,\)"),
        ({"t": torch.ones(3)}, r"t must have shape \(\) or \(1,\), got \(3,\)"),
        ({"t": torch.ones(1, 1)}, r"t must have shape \(\) or \(1,\), got \(1, 1\)"),
        ({"position": torch.ones(1)}, r"position must have shape \(3,\), got \(1,\)"),
        ({"position": torch.ones(2, 3)}, r"position must have shape \(3,\), got \(2, 3\)"),
        ({"position": "permuted"}, "position must be one of index, normalized, ones, got 'permuted'"),
        ({"bias": torch.ones(1)}, r"bias must have shape \(2,\), got \(1,\)"),
        ({"bias": torch.ones(4, 2)}, r"bias must have shape \(2,\), got \(4, 2\)"),
        ({"gate": "sigmoid"}, "gate must be 'input' or a finite number, got 'sigmoid'"),
    ],
)
def test_shapes_that_would_be_stretched_in_silence(change, said):
    inputs = {"weight": torch.ones(2, 3), "beta": torch.zeros(()), "t": torch.ones(1)}
    with pytest.raises(ValueError, match=said):
        dynamic_linear(torch.ones(4, 3), **{**inputs, **change})

"""The layers of the studies: their formulas, their sizes, and the update's temperatures."""

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from physnn import Langevin, TemperatureSchedule, Thermometer
from physnn.lab.data.images import load
from physnn.lab.models.layers import FiLM, Layer, SqueezeExcitation, groups
from physnn.lab.models.losses import smoothness_gradient
from physnn.lab.models.network import parameter_count
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.replicas import train
from physnn.lab.training.task import Replica
from physnn.temperature import cosine

NET = {"widths": [64, 12, 10], "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
DYNAMIC = {"layer": "dynamic", "beta_init": 0.1}


def test_film_is_its_formula_and_starts_as_a_linear_layer():
    torch.manual_seed(0)
    film, x = FiLM(6, 4), torch.randn(5, 6)
    torch.testing.assert_close(film(x), nn.functional.linear(x, film.weight, film.bias))
    with torch.no_grad():
        film.scale.normal_(), film.shift.normal_()
    tau = torch.sigmoid(x.mean(1, keepdim=True))
    expected = (1 + tau * film.scale) * (x @ film.weight.T + film.bias) + tau * film.shift
    torch.testing.assert_close(film(x), expected)


def test_squeeze_and_excitation_is_its_formula():
    torch.manual_seed(0)
    layer, x = SqueezeExcitation(64, 4), torch.rand(5, 64)
    assert groups(64) == 4 and groups(784) == 14 and groups(128) == 4 and groups(7) == 1
    z = x.view(5, 4, 16).mean(-1)
    bottleneck = (z * layer.squeeze).sum(-1, keepdim=True).clamp(min=0)
    torch.testing.assert_close(bottleneck, x.mean(1, keepdim=True), msg="starts as the mean of all inputs")
    gate = torch.sigmoid(bottleneck * layer.excite).repeat_interleave(16, 1)
    torch.testing.assert_close(layer(x), (gate * x) @ layer.weight.T + layer.bias)


def test_the_gate_of_the_next_sample_is_its_formula():
    torch.manual_seed(0)
    layer, x = Layer("dynamic", bias=True, beta_init=0.3, gate="next").make(6, 4), torch.rand(5, 6)
    tau = layer.t * torch.sigmoid(torch.stack([x[(b + 1) % 5].mean() for b in range(5)]))
    factors = torch.arange(6) * torch.cosh(5 * layer.beta) + tau[:, None] * torch.sinh(5 * layer.beta)
    torch.testing.assert_close(layer(x), (factors * x) @ layer.weight.T + layer.bias)
    own = Layer("dynamic", bias=True, beta_init=0.3).make(6, 4)
    own.load_state_dict(layer.state_dict())
    same = x[:1].expand(5, -1)
    torch.testing.assert_close(layer(same), own(same), msg="of equal samples it is the post's")


@pytest.mark.parametrize(
    "layer",
    [
        {"layer": "linear"},
        {"layer": "linear", "bias": False},
        {"layer": "experimental", "beta_init": 0.1},
        {**DYNAMIC, "bias": True, "position": "learned"},
        {**DYNAMIC, "frozen": ["beta"]},
        {**DYNAMIC, "gate": "next"},
        {**DYNAMIC, "frozen": ["beta", "t"], "position": "reversed"},
        {"layer": "film"},
        {"layer": "squeeze-excitation"},
        {"layer": "convolutional", "widths": [64, 10]},
    ],
)
def test_the_size_is_the_number_of_trainable_scalars(layer):
    recipe = Recipe.read({**NET, **layer})
    assert recipe.size == parameter_count(recipe.network())


def test_a_convolutional_layer_needs_an_image():
    with pytest.raises(ValueError, match=r"square images with a side of 4, 8, 12.* got 60 pixels"):
        Recipe.read({**NET, "widths": [60, 10], "layer": "convolutional"}).network()


def test_positions_of_our_own():
    index = torch.arange(6)
    assert torch.equal(Layer("dynamic", position="reversed", beta_init=0.1).make(6, 2).position, index.flip(0))
    assert torch.equal(Layer("dynamic", position="from one", beta_init=0.1).make(6, 2).position, index + 1)
    none = Layer("dynamic", position="none", bias=False, beta_init=0.1).make(6, 2)
    x = torch.randn(3, 6)
    tau = none.t * torch.sigmoid(x.mean(1, keepdim=True))
    torch.testing.assert_close(none(x), torch.sinh(5 * none.beta) * tau * (x @ none.weight.T))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": 1}, "bias must be true or false, got 1"),
        ({"position": "random"}, "position must be one of index, normalized"),
        ({"gate": "output"}, "gate must be a finite number, got 'output'"),
        ({"frozen": "beta"}, "frozen must be a list of beta and t, or empty, got 'beta'"),
        ({"frozen": ["weight"]}, "frozen must be a list of beta and t"),
        ({"frozen": ["t"], "optimizer": "langevin", "damping": 0.1, "temperature": 0.1}, "frozen is for temperature 0"),
        ({"optimizer": "langevin", "damping": 0.1, "scheme": "euler"}, "scheme must be one of post, gjf, baoa"),
        ({"optimizer": "langevin", "damping": 0.1, "noise": "pink"}, "noise must be one of normal"),
        ({"lr_schedule": "step"}, "lr_schedule must be one of constant, cosine"),
        ({"optimizer": "adam", "temperature": 0.1}, r"adam know no \['temperature'\]"),
    ],
)
def test_options_that_are_not_understood(change, message):
    recipe = {**NET, **DYNAMIC, **change}
    if recipe["optimizer"] != "sgd":
        del recipe["momentum"]
    with pytest.raises(ValueError, match=message):
        Recipe.read(recipe)


@pytest.mark.parametrize("scheme", ["post", "baoa"])
def test_schedules_and_temperatures_are_those_of_torch_and_of_the_package(scheme):
    """One run with cosine schedules, step by step with LambdaLR, TemperatureSchedule and Thermometer."""
    recipe = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "langevin", "damping": 0.2}
    recipe |= {"temperature": 1e-3, "weight_decay": 1e-2, "scheme": scheme}
    recipe |= {"lr_schedule": "cosine", "temperature_schedule": "cosine"}
    digits, epochs, batch_size = load("digits"), 2, 128
    table = train([Replica("cosine", recipe, 0.05, 1)], "digits", epochs=epochs, batch_size=batch_size)
    torch.manual_seed(1)
    model, loss, optimizer = Recipe.read(recipe).modules(0.05)
    assert isinstance(optimizer, Langevin)
    start = [p.detach().clone() for p in model.parameters()]
    steps = epochs * -(-len(digits.train) // batch_size)
    schedules = LambdaLR(optimizer, cosine(steps)), TemperatureSchedule(optimizer, cosine(steps))
    thermometer, order, readings, count = Thermometer(optimizer), torch.Generator().manual_seed(1), [], 0
    for _ in range(epochs):
        readings = []
        for batch in torch.randperm(len(digits.train), generator=order).split(batch_size):
            optimizer.zero_grad()
            loss(model(digits.as_input(digits.train.images[batch])), digits.train.labels[batch]).backward()
            optimizer.step()
            if count % 10 == 0:
                readings.append([float(thermometer.read()[0][name]) for name in ("kinetic", "configurational")])
            count += 1
            for schedule in schedules:
                schedule.step()
    last = table.iloc[-1]
    assert [last.kinetic, last.configurational] == pytest.approx(torch.tensor(readings).mean(0).tolist(), rel=1e-3)
    apart = [p.detach() - q for p, q in zip(model.parameters(), start, strict=True)]
    assert last.distance == pytest.approx(float(sum(d.square().sum() for d in apart)) ** 0.5, rel=1e-4)
    assert last.norm == pytest.approx(
        float(sum(p.detach().square().sum() for p in model.parameters())) ** 0.5, rel=1e-4
    )


def test_adam_has_no_temperature_and_every_recipe_tells_how_far_it_went():
    recipe = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "adam"}
    table = train([Replica("adam", recipe, 0.01, 0)], "digits", epochs=5, batch_size=256, test=True)
    assert table.kinetic.isna().all() and table.distance.iloc[0] == 0 and table.distance.is_monotonic_increasing
    assert table.train_accuracy.iloc[-1] > 0.8 and table.train_nll.iloc[-1] < table.loss.iloc[-1]


def test_the_gradient_of_the_smoothness_is_that_of_the_dirichlet_energy():
    weight = torch.randn(3, 2, 16, dtype=torch.float64, requires_grad=True)
    field = weight.view(3, 2, 4, 4)
    energy = sum(field.diff(dim=dim).square().sum() for dim in (-2, -1)) / 2
    energy.backward()
    torch.testing.assert_close(smoothness_gradient(weight.detach()), weight.grad)


def test_with_the_printed_difference_it_is_that_of_the_posts_spatial_term():
    weight = torch.randn(3, 2, 36, dtype=torch.float64, requires_grad=True)
    field = weight.view(3, 2, 6, 6)
    energy = sum(((field.roll(-1, dim) - field.roll(1, dim)) / 2).square().sum() for dim in (-2, -1)) / 2
    energy.backward()
    torch.testing.assert_close(smoothness_gradient(weight.detach(), "central"), weight.grad)

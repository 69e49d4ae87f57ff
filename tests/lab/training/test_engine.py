"""The engine: each replica is what torch makes of its module alone, and the stacked forms are the same numbers."""

from functools import partial
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from physnn import DynamicLinear, ExperimentalLayer, Langevin
from physnn.lab.models.dynamics import Dynamics
from physnn.lab.models.layers import LAYERS, POSITIONS, FiLM
from physnn.lab.models.losses import CHOICES, LOSSES, make, stacked
from physnn.lab.models.network import seeded
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.engine import Engine
from physnn.lab.training.stack import Stack
from physnn.lab.training.updates import Update
from physnn.scheme import SCHEMES

SGD = Dynamics(optimizer="langevin", damping=0.1, weight_decay=0.01)
LRS = (0.03, 0.1, 0.2)
STEPS, BATCH = 7, 6
CLOSE = {"rtol": 1e-10, "atol": 1e-12}  # float64: rounding, some steps later


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Linear(64, 5)

    def forward(self, x):
        return self.last(self.norm(self.first(x.unflatten(1, (1, 4, 4)))).relu().flatten(1))


class Tied(nn.Module):
    """One matrix, used twice."""

    def __init__(self):
        super().__init__()
        self.there, self.back = nn.Linear(16, 5, bias=False), nn.Linear(16, 5)
        self.back.weight = self.there.weight

    def forward(self, x):
        return self.back(self.there(x) @ self.there.weight)


def frozen():
    module = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 5))
    module[0].requires_grad_(False)
    return module


MODULES = {
    "linear": lambda: nn.Linear(16, 5),
    "mlp": lambda: nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 5)),
    "convolutions": Convolutions,
    "batch norm": lambda: nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 5)),
    "the post's": lambda: nn.Sequential(ExperimentalLayer(16, 8, 0.1), nn.ReLU(), ExperimentalLayer(8, 5, 0.1)),
    "permuted": lambda: DynamicLinear(16, 5, position="permuted"),  # an order of its own, in a buffer
    "film": lambda: FiLM(16, 5),
    "tied": Tied,
    "frozen": frozen,
}
GENTLE = {"the post's": 1e-4, "permuted": 1e-4}  # their inputs are multiplied by up to 15


def rates(kind):
    return [GENTLE.get(kind, 1) * lr for lr in LRS]


def networks(kind, seeds=(0, 1, 2), dtype=torch.float64):
    return [seeded(MODULES[kind], seed)[0].to(dtype) for seed in seeds]


def data(replicas=3, steps=STEPS):
    """Return inputs and targets of every step, of each replica's own or for all: shape (steps, replicas, B, ...)."""
    generator = torch.Generator().manual_seed(0)
    shape = steps, replicas, BATCH
    x = torch.randn(*shape, 16, generator=generator, dtype=torch.float64)
    return x, torch.randn(*shape, 5, generator=generator, dtype=torch.float64)


def engine_of(modules, lrs=LRS, loss=F.mse_loss, dynamics=SGD, noise=None, **options):
    noise = noise or [torch.Generator() for _ in modules]
    return Engine(modules, loss, partial(Update, [dynamics] * len(modules), lrs, noise, steps=STEPS), **options)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", MODULES)
def test_a_replica_is_its_module_under_torchs_optimizer(kind, shared):
    """Losses, parameters and buffers, step by step, with data of its own and with data for all."""
    x, y = data(1 if shared else 3)
    engine = engine_of(networks(kind), rates(kind))
    losses = torch.stack([engine.step(*each) for each in zip(x, y, strict=True)])
    with torch.no_grad():
        outputs = engine.outputs(x[0])
    for r, (module, lr) in enumerate(zip(networks(kind), rates(kind), strict=True)):
        trained = [p for p in module.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trained, lr, momentum=0.9, weight_decay=0.01)
        mine = 0 if shared else r
        for step in range(STEPS):
            loss = F.mse_loss(module(x[step, mine]), y[step, mine])
            torch.testing.assert_close(losses[step, r], loss.detach(), **CLOSE)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        state = {name: tensor[r].detach() for name, tensor in {**engine.trained, **engine.fixed}.items()}
        expected = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        torch.testing.assert_close(state, {name: tensor.detach() for name, tensor in expected.items()}, **CLOSE)
        torch.testing.assert_close(outputs[r], module.eval()(x[0, mine]).detach(), **CLOSE)
    assert engine.alive == [True] * 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_warm_replica_is_its_module_under_langevin(scheme):
    """With the noise that the optimizer would draw, which is made after the network from the same seed."""
    options = {"damping": 0.3, "temperature": 0.01, "weight_decay": 0.1, "scheme": scheme}
    dynamics, (x, y) = Dynamics(optimizer="langevin", **options), data()
    modules, noise = zip(*(seeded(MODULES["mlp"], seed) for seed in (0, 1, 2)), strict=True)
    engine = engine_of([module.double() for module in modules], dynamics=dynamics, noise=noise)
    for each in zip(x, y, strict=True):
        engine.step(*each)
    for r, lr in enumerate(LRS):
        torch.manual_seed(r)
        module = MODULES["mlp"]()
        optimizer = Langevin(module.double().parameters(), lr, **options)
        for step in range(STEPS):
            optimizer.zero_grad()
            F.mse_loss(module(x[step, r]), y[step, r]).backward()
            optimizer.step()
        for mine, theirs in zip(engine.params, module.parameters(), strict=True):
            torch.testing.assert_close(mine[r].detach(), theirs.detach(), **CLOSE)


@pytest.mark.parametrize("kind", MODULES)
def test_a_replica_does_not_see_who_is_beside_it(kind):
    """Alone, in company, and beside one that diverges at once and one that does so later."""
    x, y = data(4)
    beside = engine_of(networks(kind, (1, 5, 0, 2)), (1e200, rates(kind)[1], rates(kind)[0], 1e60))
    alone = engine_of(networks(kind, (0,)), rates(kind)[:1])
    for step in range(STEPS):
        first = beside.step(x[step], y[step])[2]
        torch.testing.assert_close(alone.step(x[step, 2:3], y[step, 2:3])[0], first, **CLOSE)
    beside.settle()
    assert beside.alive == [False, True, True, False]
    for mine, theirs in zip(beside.params, alone.params, strict=True):
        torch.testing.assert_close(mine[2], theirs[0], **CLOSE)
        assert (mine[[0, 3]] == 0).all()
    mine, theirs = beside.lengths(), alone.lengths()
    for name in ("norm", "distance"):
        torch.testing.assert_close(mine[name][2], theirs[name][0], **CLOSE)
        assert theirs[name] > 0


def test_a_replica_that_has_no_loss_is_at_rest_though_its_loss_stays_undefined():
    """A loss without a value at 0, too: the gradients of those at rest are 0, and the others go on."""
    logarithm = lambda outputs, y: (outputs.square().sum(1).log() - y.sum(1)).square().mean()  # noqa: E731
    x, y = data(2)
    engine = engine_of(networks("linear", (0, 1)), (1e300, 0.01), loss=logarithm)
    alone = engine_of(networks("linear", (1,)), (0.01,), loss=logarithm)
    for step in range(STEPS):
        engine.step(x[step], y[step]), alone.step(x[step, 1:], y[step, 1:])
    assert engine.alive == [False, True]
    assert all((p[0] == 0).all() for p in engine.params)
    torch.testing.assert_close(engine.params[0][1], alone.params[0][0], **CLOSE)


def test_random_numbers_in_a_module_are_refused():
    """But for its outputs in evaluation, where Dropout draws none."""
    dropping = [nn.Sequential(nn.Linear(16, 5), nn.Dropout(0.5)).double() for _ in range(2)]
    engine, (x, y) = engine_of(dropping, LRS[:2]), data(2)
    with pytest.raises(ValueError, match=r"Sequential draws random numbers .* Draw them from the replica's seed"):
        engine.step(x[0], y[0])
    torch.testing.assert_close(engine.outputs(x[0])[1], dropping[1].eval()(x[0, 1]).detach())
    assert engine.module.training


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([], "there is nothing to train"),
        ([nn.Linear(16, 5), nn.Linear(16, 6)], "out_features is 5 in the first and 6 in that of index 1"),
        ([DynamicLinear(16, 5), DynamicLinear(16, 5, gate=0.5)], "gate is input in the first and 0.5 in that of"),
        ([nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh())], "the class of 0 is"),
        ([nn.Linear(16, 5), nn.Linear(16, 5).eval()], "training is True in the first and False"),
        ([nn.Linear(16, 5), nn.Linear(16, 5).requires_grad_(False)], "weight.requires_grad is True in the first"),
        ([nn.Linear(16, 5), nn.Linear(16, 5, bias=False)], r"the shape of bias is \(5,\) in the first and absent in"),
    ],
)
def test_modules_that_are_not_alike_are_refused(modules, message):
    with pytest.raises(ValueError, match=message):
        engine_of(modules, LRS[: len(modules)])


def test_data_and_losses_of_the_wrong_shape():
    engine, (x, y) = engine_of(networks("linear")), data(2)
    with pytest.raises(ValueError, match=r"a first axis of the 3 replicas, or of 1 for all, got shape \(2, 6, 16\)"):
        engine.step(x[0], y[0])
    x, y = data()
    with pytest.raises(ValueError, match=r"the loss must be a scalar, got one of shape \(6, 5\); take its mean"):
        engine_of(networks("linear"), loss=partial(F.mse_loss, reduction="none")).step(x[0], y[0])


SHAPES = {
    "linear": {"layer": "linear"},
    "no bias": {"layer": "linear", "bias": False},
    "experimental": {"layer": "experimental", "beta_init": 0.1},
    **{name: {"layer": "dynamic", "beta_init": 0.1, "position": name, "bias": name == "index"} for name in POSITIONS},
    "gate": {"layer": "dynamic", "beta_init": 0.1, "gate": 0.5},
    "gate of the next": {"layer": "dynamic", "beta_init": 0.1, "gate": "next"},
    "wide": {"layer": "dynamic", "beta_init": 0.1, "widths": [16, 80, 10]},  # the other of the two products
    "film": {"layer": "film"},
    "squeeze-excitation": {"layer": "squeeze-excitation"},
    "convolutional": {"layer": "convolutional", "widths": [16, 10]},
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_the_stacked_form_of_a_layer_is_that_of_the_engine(name, shared):
    """Outputs and gradients in float64, at parameters that are no start values."""
    recipe = Recipe.read(
        {"widths": [16, 12, 10], "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9, **SHAPES[name]}
    )
    stack = Stack([recipe] * 3, LRS, [0, 1, 2], STEPS)
    engine = engine_of([seeded(recipe.network, seed)[0].double() for seed in (0, 1, 2)], loss=F.cross_entropy)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in engine.params:
            p += 0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    stack.params = engine.params
    stack.factors = [None if a is None else a.double() for a in stack.factors]
    stack.gates = stack.gates.double()
    x, _ = data(1 if shared else 3, 1)
    y = torch.randint(10, x[0].shape[:2], generator=generator)
    # The studies' normalized positions have the digits of float32.
    close = {"rtol": 1e-5, "atol": 1e-6} if name == "normalized" else CLOSE
    torch.testing.assert_close(stack.forward(x[0]), engine.forward(x[0]), **close)
    losses, _ = stack.losses(stack.forward(x[0]), y)
    expected, gradients = engine.gradients(x[0], y)
    torch.testing.assert_close(losses.detach(), expected, **close)
    torch.testing.assert_close(torch.autograd.grad(losses.sum(), stack.params), tuple(gradients), **close)


def test_every_kind_of_layer_is_held_against_the_engine():
    assert {shape["layer"] for shape in SHAPES.values()} == {*LAYERS}


@pytest.mark.parametrize("loss", LOSSES)
def test_the_stacked_form_of_a_loss_is_that_of_the_engine(loss):
    """Every choice of norm, boundary and outer function, with its gradient."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(3, BATCH, 10, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.randint(10, (3, BATCH), generator=generator)
    for choices in product(*CHOICES.values()) if loss == "ginzburg-landau" else [()]:
        kind = loss, choices, (0.3, -2.0, 0.5)
        engine = engine_of(networks("linear"), loss=make(*kind))
        mine, theirs = stacked([kind] * 3, torch.device("cpu"))(outputs, y)[0], engine.losses(outputs, y)
        gradients = [torch.autograd.grad(values.sum(), outputs)[0] for values in (mine, theirs)]
        # Coefficients of the stacked form are float32.
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-7)

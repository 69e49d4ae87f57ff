"""Thermometers of the direction: against Hessians written out, and in exact equilibrium, with a scale and without."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import heat
from physnn.lab.training.thermometry import across, felt, signs

PRINTED = {
    "widths": [64, 10], "layer": "linear", "bias": False, "loss": "ginzburg-landau",
    "optimizer": "langevin", "damping": 0.1, "temperature": 1e-3, "images": 256,
}  # fmt: skip
ENTROPY = {**PRINTED, "loss": "cross-entropy", "weight_decay": 0.01}


def rayleigh(a):
    """A loss without a scale: L = w.A w / |w|²."""
    return lambda params: ((params[0] @ a) * params[0]).sum(1) / params[0].square().sum(1)


def test_slope_and_curvature_are_those_of_the_hessian():
    """With each probe in turn a unit vector, the estimates add up to the trace: here once for all, by a full set."""
    torch.manual_seed(0)
    a = torch.randn(4, 4, dtype=torch.float64)
    loss = lambda w: (w @ a @ w) ** 2 / 7 + w.prod() + (3 * w[0]).sin()  # noqa: E731
    w = torch.randn(4, dtype=torch.float64)
    g, hessian = torch.func.grad(loss)(w), torch.func.hessian(loss)(w)
    unit = w / w.norm()
    expected = hessian.trace() - unit @ hessian @ unit - 3 * (unit @ g) / w.norm()
    # All 16 probes of signs: v.Hv has the trace as its mean, exactly.
    probes = torch.tensor(np.stack(np.meshgrid(*[[-1.0, 1.0]] * 4), -1).reshape(16, 4))
    squared, curved = felt(lambda p: torch.func.vmap(loss)(p[0]), [w.expand(16, 4)], [probes])
    assert curved.mean().item() == pytest.approx(expected.item(), rel=1e-9)
    assert squared.tolist() == pytest.approx([(g @ g - (g @ unit) ** 2).item()] * 16, rel=1e-9)
    assert across([g[None]], [w[None]]).item() == pytest.approx(squared[0].item(), rel=1e-9)


def test_a_harmonic_law_has_its_temperature():
    """Samples of exp(-U/T) for U = Σ λ x²/2: the ratio of the means is T, to five standard errors of 20,000 samples."""
    T, curvature = 0.3, torch.tensor([0.5, 1.0, 4.0, 20.0], dtype=torch.float64)
    x = torch.randn(20_000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * (T / curvature).sqrt()
    probes = torch.ones_like(x)  # of a diagonal Hessian any signs give the trace
    squared, curved = felt(lambda p: (curvature * p[0].square()).sum(1) / 2, [x], [probes])
    error = (squared - T * curved).std() / math.sqrt(len(x)) / curved.mean()
    assert abs(squared.mean() / curved.mean() - T) < 5 * error < 0.05 * T


def test_a_direction_has_its_temperature_where_the_weights_have_none():
    """The law exp(-L/T) on the sphere, as a sum over it: for a loss without a scale, at any radius."""
    z = (torch.arange(300, dtype=torch.float64) + 0.5) / 150 - 1
    angle, ring = (torch.arange(300, dtype=torch.float64) + 0.5) * math.pi / 150, (1 - z**2).sqrt()[:, None]
    sphere = torch.stack([ring * angle.cos(), ring * angle.sin(), z[:, None].expand(-1, 300)], 2).flatten(0, 1)
    loss = rayleigh(torch.diag(torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)))
    for T in (0.2, 1.0):
        weight = torch.softmax(-loss([sphere]) / T, 0)
        for radius in (0.5, 4.0):
            # Over all signs the estimates have the trace as their mean, exactly; turning all of them changes nothing.
            eight = [torch.tensor([1.0, s, t], dtype=torch.float64) for s in (-1, 1) for t in (-1, 1)]
            found = [felt(loss, [radius * sphere], [v.expand_as(sphere)]) for v in eight]
            squared, curved = (sum(part) / len(eight) for part in zip(*found, strict=True))
            assert ((weight @ squared) / (weight @ curved)).item() == pytest.approx(T, rel=1e-3)


def test_probes_are_each_replicas_own():
    params = [torch.zeros(2, 3, 4), torch.zeros(2, 3)]
    both = signs(params, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    alone = signs([p[1:] for p in params], [torch.Generator().manual_seed(1)])
    assert all(torch.equal(b[1:], a) for b, a in zip(both, alone, strict=True))
    assert {*torch.cat([b.flatten() for b in both]).tolist()} == {-1.0, 1.0}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(heat, "STEPS", 100)


def train(replicas, epochs=2, **budget):
    given = Budget("digits", epochs, **{"batch_size": 64, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task="heat") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def of(table, member):
    rows = table[(table.arm == member.arm) & (table.seed == member.seed) & (table.lr == member.lr)]
    return rows.reset_index(drop=True)


@pytest.mark.parametrize("recipe", [PRINTED, {**ENTROPY, "whole": True}], ids=["printed", "entropy, whole"])
def test_alone_is_as_in_company(recipe):
    member = Replica("a", recipe, 0.05, 3)
    others = [Replica("b", {**recipe, "temperature": 1e-4}, 0.1, 3), Replica("c", recipe, 0.01, 4)]
    alone, together = train([member]), train([*others, member])
    pd.testing.assert_frame_equal(of(together, member), alone, rtol=2e-3, atol=2e-5)


def test_the_bath_is_measured_as_it_is_set():
    """Kinetic temperatures of 640 weights over 10 and 4 readings of the last epoch, within five standard errors of T;
    a loss without a scale has no force along the weights, and its virial temperature is zero."""
    ended = train([Replica("a", {**PRINTED, "whole": True}, 0.02, seed) for seed in range(3)], epochs=3)
    ended = ended[ended.epoch == 3]
    assert ended.nominal_ratio.mean() == pytest.approx(1, abs=5 * math.sqrt(2 / 640 / 10 / 3))
    assert (ended.direction_kinetic / 1e-3).mean() == pytest.approx(1, abs=5 * math.sqrt(2 / 639 / 4 / 3))
    assert ended.weights_ratio.abs().max() < 1e-4
    assert ended.weights_ratio.to_list() == pytest.approx((ended.configurational / ended.kinetic).to_list(), abs=1e-9)


def test_at_zero_there_is_nothing_set_to_compare_with():
    ended = train([Replica("a", {**ENTROPY, "temperature": 0.0}, 0.05, 0)]).iloc[-1]
    assert math.isnan(ended.nominal_ratio) and ended.kinetic > 0 and ended.direction_configurational > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheme": "gjf"}, "post"), ({"lr_schedule": "cosine"}, "constant"), ({"whole": 1}, "whole"),
        ({"label_noise": 0.1}, "right labels"), ({"stars": 1}, "stars"),
    ],
)  # fmt: skip
def test_bad_recipes(change, message):
    with pytest.raises(ValueError, match=message):
        heat.read({**PRINTED, **change})

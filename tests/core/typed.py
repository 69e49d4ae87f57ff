"""What a type checker sees of the package: read by mypy in make lint, and run by nobody."""

from typing import Any, assert_type

import torch
from torch import Tensor, nn

import physnn
from physnn import (
    Chains,
    DynamicLinear,
    ExperimentalLayer,
    GinzburgLandauLoss,
    Langevin,
    Samples,
    TemperatureSchedule,
    Thermometer,
    dynamic_linear,
    ginzburg_landau_density,
    ginzburg_landau_loss,
    log_predictive,
    posterior,
)


def layers(x: Tensor) -> None:
    layer = DynamicLinear(5, 4, position="ones", gate=0.3, bias=True, device="cpu", dtype=torch.float64)
    assert_type(layer.weight, nn.Parameter)
    assert_type(layer.forward(x), Tensor)
    assert_type(ExperimentalLayer(5, 4, 0.1).forward(x), Tensor)
    assert_type(dynamic_linear(x, layer.weight, layer.beta, layer.t), Tensor)
    DynamicLinear("5", 4)  # type: ignore[arg-type]
    DynamicLinear(5, 4, gates=0.3)  # type: ignore[call-arg]


def losses(phi: Tensor, target: Tensor) -> None:
    assert_type(GinzburgLandauLoss(norm="sample").forward(phi, target), Tensor)
    assert_type(ginzburg_landau_loss(phi, target, spatial=0.0), Tensor)
    assert_type(ginzburg_landau_density(phi, target), Tensor)
    GinzburgLandauLoss(norm=1)  # type: ignore[arg-type]


def optimizers(model: nn.Module, state: dict[str, Any]) -> None:
    optimizer = Langevin(model.parameters(), 0.1, damping=0.3, temperature=1e-3, generator=torch.Generator())
    torch.optim.lr_scheduler.StepLR(optimizer, 3)
    Langevin([{"params": model.parameters(), "lr": 0.2}], torch.tensor(0.1), damping=0.3)
    assert_type(optimizer.reseed(1), None)
    assert_type(optimizer.state_dict(), dict[str, Any])
    assert_type(Thermometer(optimizer, every=2).read(0.9), list[dict[str, Any]])
    assert_type(TemperatureSchedule(optimizer, lambda step: 0.9**step).get_last_temperature(), list[float])
    assert_type(physnn.__version__, str)
    Langevin(model.parameters(), 0.1)  # type: ignore[call-arg]
    Langevin(model.parameters(), 0.1, damping="0.3")  # type: ignore[arg-type]


def samplers(model: nn.Module, x: Tensor, y: Tensor) -> None:
    chains = Chains([model, model])
    assert_type(Chains.seeded(lambda: nn.Linear(2, 2), range(3)), Chains)
    assert_type(chains.forward(x, own=True), Tensor)
    assert_type(chains.losses(nn.functional.cross_entropy, x, y), Tensor)
    assert_type(chains.chain(0), nn.Module)
    options = posterior(100, 0.5)
    assert_type(options["temperature"], float)
    Langevin(chains.parameters(), 0.1, damping=0.3, scheme="gjf", **options)
    samples = Samples(chains, burn_in=10, thin=2, readout=lambda model: {"outputs": model(x)})
    assert_type(samples.step(), bool)
    assert_type(samples["outputs"], Tensor)
    assert_type(samples.draws(), dict[str, Tensor])
    assert_type(log_predictive(samples.predict(x), (0, 1)), Tensor)
    Samples(model)  # type: ignore[call-arg]
    posterior("100", 0.5)  # type: ignore[arg-type]

"""The optimizer in every setting, described as PyTorch describes its own to its tests; and what those tests need."""

import pytest
import torch
from torch import nn

from physnn import Langevin

pytest.importorskip("expecttest", reason="torch.testing._internal needs it")
common_optimizers = pytest.importorskip("torch.testing._internal.common_optimizers")

FORMS = {
    "default": {},
    "single": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "compiled": {"compiled": True, "noise": "byte-sum"},
}
# 18 settings. fused=True is refused for baoa, which torch has no kernel for.
SETTINGS = {
    f"{scheme}-{form}": {"scheme": scheme, **options}
    for scheme in ("post", "gjf", "baoa")
    for form, options in FORMS.items()
    if (scheme, form) != ("baoa", "fused")
} | {
    "post-two-point": {"noise": "two-point"},
    "post-rescaled": {"rescale": True},
    "gjf-unrescaled": {"scheme": "gjf", "rescale": False},
    "post-quiet-at-zero": {"noise_at_zero": False},
}
VARIATIONS = {
    "cold": {"temperature": 0.0},
    "hot": {},
    "decay": {"weight_decay": 0.2},
    "maximize": {"maximize": True, "weight_decay": 0.2},
    "overdamped": {"damping": 1.0},
}


def _optimizer_info(setting):
    def inputs(device, dtype=None):
        base = {"lr": 0.1, "damping": 0.3, "temperature": 0.2}
        return [
            common_optimizers.OptimizerInput(params=None, kwargs={**base, **setting, **variation}, desc=name)
            for name, variation in VARIATIONS.items()
        ]

    def errors(device, dtype=None):
        return [
            common_optimizers.ErrorOptimizerInput(
                common_optimizers.OptimizerInput(
                    params=None, kwargs={"lr": 0.1, "damping": 0.3, **setting, **wrong}, desc=""
                ),
                error_type=error,
                error_regex=pattern,
            )
            for wrong, error, pattern in WRONG
        ]

    return common_optimizers.OptimizerInfo(
        Langevin,
        optim_inputs_func=inputs,
        optim_error_inputs_func=errors,
        supported_impls=("foreach", "fused"),
        not_og_supported_flags=("scheme", "noise", "fused", "compiled", "rescale", "noise_at_zero"),
        supports_fused_on=("cpu", "cuda"),
    )


WRONG = [
    ({"lr": -0.1}, ValueError, "lr must be finite and at least 0, got -0.1"),
    ({"lr": float("nan")}, ValueError, "lr must be finite"),
    ({"lr": torch.tensor([0.1, 0.2])}, ValueError, "lr must be one number"),
    ({"lr": "0.1"}, TypeError, "lr must be a number"),
    ({"damping": 0.0}, ValueError, "damping must lie between 0 and 2"),
    ({"damping": 2.0}, ValueError, "damping must lie between 0 and 2"),
    ({"temperature": -1.0}, ValueError, "temperature must be finite"),
    ({"weight_decay": -1.0}, ValueError, "weight_decay must be finite"),
    ({"scheme": "leapfrog"}, ValueError, "scheme must be one of post, gjf, baoa"),
    ({"noise": "pink"}, ValueError, "noise must be one of normal, two-point, byte-sum"),
    ({"scheme": "baoa", "fused": True}, ValueError, "fused=True knows"),
]
OPTIMIZERS = {name: _optimizer_info(setting) for name, setting in SETTINGS.items()}


def inputs_of(info):
    return info.optim_inputs_func(device="cpu")


CASES = [
    pytest.param(info, given.kwargs, id=f"{name}-{given.desc}")
    for name, info in OPTIMIZERS.items()
    for given in inputs_of(info)
]
every_case = pytest.mark.parametrize(("info", "options"), CASES)
every_setting = pytest.mark.parametrize("info", OPTIMIZERS.values(), ids=OPTIMIZERS)


def noise(seed=5):
    return torch.Generator().manual_seed(seed)


def tensors(*shapes, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)) for shape in shapes]


def model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def make(info, options, params):
    return info.optim_cls(params, **options, generator=noise())


def hot(info):
    return inputs_of(info)[1].kwargs


def give_gradients(params, step=0):
    """A gradient that depends on where the parameter is, and on the step."""
    for i, p in enumerate(params):
        p.grad = (p.detach() + 0.1 * i).sin() + 0.01 * step


def run(params, optimizer, steps, start=0):
    for step in range(start, start + steps):
        give_gradients(params, step)
        optimizer.step()
    return [p.detach().clone() for p in params]


def assert_same(first, second, **tolerance):
    torch.testing.assert_close(first, second, **({"rtol": 0, "atol": 0} | tolerance))


SHAPES = [(4, 3), (3,), (), (2, 0), (130, 20)]

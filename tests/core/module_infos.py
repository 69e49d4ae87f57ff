"""The layers and the loss with every option, described as PyTorch describes its own; and what the tests need."""

from functools import partial

import pytest
import torch
from torch import nn

from physnn import DynamicLinear, ExperimentalLayer, GinzburgLandauLoss

pytest.importorskip("expecttest", reason="torch.testing._internal needs it")
common_modules = pytest.importorskip("torch.testing._internal.common_modules")

DTYPE = torch.float64


def _field(*shape, device="cpu", dtype=torch.float64, requires_grad=False, seed=0):
    values = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return values.to(device, dtype).requires_grad_(requires_grad)


def _layer_reference(option, module, parameters, x):
    """The post's formula, with the position and the gate of ``option``."""
    weight = module.weight if isinstance(module, DynamicLinear) else module.w
    kind, gate, n = option.get("position", "index"), option.get("gate", "input"), weight.shape[1]
    a = torch.ones(n) if kind == "ones" else torch.arange(n)
    if kind in ("learned", "permuted"):
        a = module.position
    a = a.to(weight)
    if kind == "normalized":
        a = a / a.square().mean().sqrt()
    tau = module.t * (torch.sigmoid(x.mean(-1, keepdim=True)) if gate == "input" else gate)
    boost = a * torch.cosh(5 * module.beta) + tau * torch.sinh(5 * module.beta)
    out = torch.einsum("...j,ij->...i", boost * x, weight)
    return out + module.bias if option.get("bias") else out


def _layer_inputs(module_info, device, dtype, requires_grad, training, **kwargs):
    positional = module_info.module_cls is ExperimentalLayer
    options = [{}] if positional else [{}, {"bias": True}, {"gate": 0.3}, {"fused": False}]
    if not positional:
        options += [{"position": position} for position in ("normalized", "ones", "permuted", "learned")]
    shapes = {"": (3, 5), "one sample": (5,), "two leading": (2, 3, 5), "no sample": (0, 5)}
    return [
        common_modules.ModuleInput(
            constructor_input=common_modules.FunctionInput(5, 4, *([0.1] if positional else []), **option),
            forward_input=common_modules.FunctionInput(
                _field(*shape, device=device, dtype=dtype, requires_grad=requires_grad)
            ),
            desc=" ".join([*map(str, option.values()), where]),
            reference_fn=partial(_layer_reference, option),
        )
        for option in options
        for where, shape in shapes.items()
    ]


def _layer_errors(module_info, device, dtype, requires_grad, training, **kwargs):
    tail = [0.1] if module_info.module_cls is ExperimentalLayer else []
    cases = [
        ((0, 4), (3, 5), ValueError, "at least 1", True),
        ((5, 4), (3, 6), ValueError, r"expected an input of shape \(\*, 5\), got \(3, 6\)", False),
        ((5, 4), (), ValueError, r"expected an input of shape \(\*, 5\)", False),
    ]
    return [
        common_modules.ErrorModuleInput(
            common_modules.ModuleInput(
                constructor_input=common_modules.FunctionInput(*sizes, *tail),
                forward_input=common_modules.FunctionInput(_field(*shape, device=device, dtype=dtype)),
            ),
            error_on=_when(at_start),
            error_type=error,
            error_regex=pattern,
        )
        for sizes, shape, error, pattern, at_start in cases
    ]


def _when(at_start):
    when = common_modules.ModuleErrorEnum
    return when.CONSTRUCTION_ERROR if at_start else when.FORWARD_ERROR


def _loss_reference(option, module, parameters, phi, target):
    """The energy density of the post from neighbours along every axis, with what ``option`` says."""
    if target.shape != phi.shape:
        target = nn.functional.one_hot(target, phi.shape[1]).to(phi.dtype)
    boundary, outer = option.get("boundary", "periodic"), option.get("outer", "abs")
    axes = tuple(range(1 if option.get("norm") == "sample" else 0, phi.dim()))
    u, y = (field / field.abs().amax(axes, keepdim=True) for field in (phi, target))
    density = 0.0035 * (u - y) ** 2 - 5.0 * (u - y) ** 4
    for axis in (1,) if phi.dim() == 2 else range(2, phi.dim()):
        size = u.shape[axis]
        right, left = (torch.roll(u, shift, axis) for shift in (-1, 1))
        if boundary != "periodic":
            outside = torch.zeros_like if boundary == "zero" else torch.clone
            right = torch.cat([u.narrow(axis, 1, size - 1), outside(u.narrow(axis, size - 1, 1))], axis)
            left = torch.cat([outside(u.narrow(axis, 0, 1)), u.narrow(axis, 0, size - 1)], axis)
        step = (right - left) / 2
        if boundary == "one-sided":
            ends = torch.ones(size).to(u)
            ends[[0, -1]] = 2
            step = step * ends.view([-1 if a == axis else 1 for a in range(u.dim())])
        density = density + 0.5 * step**2
    if outer == "elementwise":
        return density.abs().mean()
    return density.mean().abs() if outer == "abs" else density.mean()


def _loss_inputs(module_info, device, dtype, requires_grad, training, **kwargs):
    options = [{}, {"norm": "sample"}, {"outer": "none"}, {"outer": "elementwise"}, {"fused": False}]
    options += [{"boundary": boundary} for boundary in ("zero", "replicate", "one-sided")]
    labels = torch.arange(3, device=device)
    targets = {
        "labels": ((3, 5), labels),
        "field": ((3, 5), _field(3, 5, device=device, dtype=dtype, seed=1)),
        "line": ((2, 2, 5), _field(2, 2, 5, device=device, dtype=dtype, seed=1)),
        "plane": ((2, 1, 4, 5), _field(2, 1, 4, 5, device=device, dtype=dtype, seed=1)),
    }
    return [
        common_modules.ModuleInput(
            constructor_input=common_modules.FunctionInput(**option),
            forward_input=common_modules.FunctionInput(
                _field(*shape, device=device, dtype=dtype, requires_grad=requires_grad), target
            ),
            desc=" ".join([*map(str, option.values()), where]),
            reference_fn=partial(_loss_reference, option),
        )
        for option in options
        for where, (shape, target) in targets.items()
    ]


def _loss_errors(module_info, device, dtype, requires_grad, training, **kwargs):
    phi, labels = _field(3, 5, device=device, dtype=dtype), torch.arange(3, device=device)
    cases = [
        ({"norm": "layer"}, (phi, labels), ValueError, "norm must be one of", True),
        ({"boundary": "open"}, (phi, labels), ValueError, "boundary must be one of", True),
        ({"outer": "square"}, (phi, labels), ValueError, "outer must be one of", True),
        ({"quartic": float("nan")}, (phi, labels), ValueError, "quartic must be finite", True),
        ({}, (phi, labels + 3), (IndexError, ValueError), r"5", False),
        ({}, (phi, phi[:2]), (TypeError, ValueError), r"\(2, 5\)", False),
        ({}, (phi[0], labels[0]), ValueError, "phi", False),
    ]
    return [
        common_modules.ErrorModuleInput(
            common_modules.ModuleInput(
                constructor_input=common_modules.FunctionInput(**options),
                forward_input=common_modules.FunctionInput(*given),
            ),
            error_on=_when(at_start),
            error_type=error,
            error_regex=pattern,
        )
        for options, given, error, pattern, at_start in cases
    ]


MODULES = {
    cls.__name__: common_modules.ModuleInfo(cls, module_inputs_func=inputs, module_error_inputs_func=errors)
    for cls, inputs, errors in (
        (DynamicLinear, _layer_inputs, _layer_errors),
        (ExperimentalLayer, _layer_inputs, _layer_errors),
        (GinzburgLandauLoss, _loss_inputs, _loss_errors),
    )
}


def inputs_of(info, requires_grad=False, dtype=DTYPE):
    return info.module_inputs_func(info, "cpu", dtype, requires_grad, True)


CASES = [
    pytest.param(info, i, id=f"{name}-{given.desc.replace(' ', '-')}")
    for name, info in MODULES.items()
    for i, given in enumerate(inputs_of(info))
]
every_case = pytest.mark.parametrize(("info", "index"), CASES)
every_module = pytest.mark.parametrize("info", MODULES.values(), ids=MODULES)
every_layer = pytest.mark.parametrize(
    "info", [info for name, info in MODULES.items() if name != "GinzburgLandauLoss"], ids=lambda info: info.name
)


def build(info, given, dtype=DTYPE, seed=0):
    torch.manual_seed(seed)
    return info.module_cls(*given.constructor_input.args, **given.constructor_input.kwargs).to(dtype)


def case(info, index=0, **options):
    """Return a module, and the arguments of a call."""
    given = inputs_of(info, **options)[index]
    return build(info, given, options.get("dtype", DTYPE)), given.forward_input.args


def clone(args):
    return [a.detach().clone().requires_grad_(a.requires_grad) for a in args]


def gradients(module, args):
    """Return output and gradients, of inputs and parameters."""
    args = clone(args)
    module.zero_grad()
    out = module(*args)
    out.sum().backward()
    return [out.detach(), *(a.grad for a in args if a.requires_grad), *(p.grad for p in module.parameters())]

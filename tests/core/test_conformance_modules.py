"""What PyTorch's own tests ask of a module's values and gradients, asked of layers and loss with every option."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.autograd.gradcheck import gradcheck, gradgradcheck
from torch.func import functional_call

from tests.core.module_infos import (
    DTYPE,
    build,
    case,
    clone,
    common_modules,
    every_case,
    every_layer,
    every_module,
    gradients,
    inputs_of,
)


@every_case
def test_it_is_the_formula(info, index):
    given = inputs_of(info)[index]
    module, args = case(info, index)
    torch.testing.assert_close(module(*args), given.reference_fn(module, *args), rtol=1e-10, atol=1e-12)


@every_module
def test_wrong_input_is_refused_by_name(info):
    for error in info.module_error_inputs_func(info, "cpu", DTYPE, False, True):
        given = error.module_error_input
        if error.error_on is common_modules.ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(error.error_type, match=error.error_regex):
                build(info, given)
        else:
            module = build(info, given)
            with pytest.raises(error.error_type, match=error.error_regex):
                module(*given.forward_input.args)


@every_case
def test_the_memory_of_inputs_makes_no_difference(info, index):
    module, args = case(info, index, requires_grad=True)
    expected = gradients(module, args)
    for change in (
        lambda a: torch.stack([a, a], -1)[..., 0],
        lambda a: a.mT.contiguous().mT if a.dim() > 1 else a,
        lambda a: a.to(memory_format=torch.channels_last) if a.dim() == 4 else a,
    ):
        odd = [change(a.detach()).requires_grad_(a.requires_grad) for a in args]
        module.zero_grad()
        out = module(*odd)
        out.sum().backward()
        given = [out.detach(), *(a.grad for a in odd if a.requires_grad), *(p.grad for p in module.parameters())]
        torch.testing.assert_close(given, expected, rtol=1e-10, atol=1e-12)


@every_case
def test_inputs_are_left_as_they_are(info, index):
    module, args = case(info, index, requires_grad=True)
    before = clone(args)
    gradients(module, args)
    assert all(torch.equal(a, b) for a, b in zip(args, before, strict=True))


@every_case
def test_training_and_evaluation_are_the_same(info, index):
    module, args = case(info, index)
    assert not info.train_and_eval_differ
    assert torch.equal(module.train()(*args), module.eval()(*args))


@every_module
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_call_without_gradients_spoils_none_that_follows(info, mode):
    for index in range(len(inputs_of(info))):
        module, args = case(info, index, requires_grad=True)
        with mode():
            quiet = module(*args)
        torch.testing.assert_close(quiet.clone(), gradients(module, args)[0], rtol=1e-10, atol=1e-12)


@every_case
def test_derivatives_of_every_kind(info, index):
    """First and second ones, backward, forward, and many at a time, against differences."""
    module, args = case(info, index, requires_grad=True)
    if args[0].numel() == 0:  # there is nothing to differ
        return
    names, values = [], []
    for name, p in module.named_parameters():
        names.append(name)
        values.append(p.detach().clone().requires_grad_())

    def function(*given):
        parameters = dict(zip(names, given[: len(names)], strict=True))
        return functional_call(module, parameters, given[len(names) :])

    inputs = (*values, *args)
    assert gradcheck(function, inputs, check_forward_ad=True, check_batched_grad=True, fast_mode=True)
    assert gradgradcheck(function, inputs, fast_mode=True)


@every_case
def test_forward_and_backward_mode_agree(info, index):
    module, args = case(info, index, requires_grad=True)
    x, *rest = args
    tangent = torch.cos(x.detach())
    with forward_ad.dual_level():
        along = forward_ad.unpack_dual(module(forward_ad.make_dual(x.detach(), tangent), *rest)).tangent
    out = module(x, *rest)
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(along.sum(), (grad * tangent).sum(), rtol=1e-9, atol=1e-10)


@every_layer
def test_frozen_parameters_get_no_gradient(info):
    for index in range(len(inputs_of(info))):
        whole, args = case(info, index, requires_grad=True)
        full = gradients(whole, args)
        for name, _ in whole.named_parameters():
            module, args = case(info, index, requires_grad=True)
            module.get_parameter(name).requires_grad_(False)
            given = gradients(module, args)
            for a, b in zip(given, full, strict=True):
                if a is not None:
                    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
            assert module.get_parameter(name).grad is None

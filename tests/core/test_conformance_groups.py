"""What PyTorch's own tests ask of an optimizer's parameters and groups, asked of Langevin in every setting."""

import re

import pytest
import torch
from torch import nn

from physnn import Langevin
from tests.core.optimizer_infos import (
    SHAPES,
    WRONG,
    assert_same,
    every_case,
    every_setting,
    give_gradients,
    hot,
    make,
    model,
    noise,
    run,
    tensors,
)


@every_setting
def test_groups_have_options_of_their_own(info):
    first, second, third = (tensors((5,), seed=seed) for seed in range(3))
    groups = [{"params": first}, {"params": second, "lr": 0.02, "temperature": 0.0}, {"params": third, "damping": 0.9}]
    optimizer = make(info, hot(info), groups)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.02, 0.1]
    assert [group["damping"] for group in optimizer.param_groups] == [0.3, 0.3, 0.9]
    run([*first, *second, *third], optimizer, 2)
    alone = tensors((5,), seed=1)
    run_alone = make(info, {**hot(info), "lr": 0.02, "temperature": 0.0}, alone)
    for step in range(2):
        alone[0].grad = (alone[0].detach() + 0.1).sin() + 0.01 * step
        run_alone.step()
    assert_same(second, alone)


@every_setting
def test_a_group_added_later_moves_too(info):
    first, second = tensors((5,)), tensors((2, 3))
    optimizer = make(info, hot(info), first)
    run(first, optimizer, 1)
    optimizer.add_param_group({"params": second, "lr": 0.05})
    before = [p.detach().clone() for p in second]
    run([*first, *second], optimizer, 2)
    assert not torch.equal(second[0], before[0])
    assert optimizer.param_groups[1]["damping"] == 0.3
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.05]


def test_parameters_that_no_optimizer_takes():
    (p,) = tensors((3,))
    for params, error in (
        ([], ValueError),
        ([{"params": {p}}], TypeError),
        (p, TypeError),
        ([1.0], TypeError),
        ([p * 2], ValueError),
        ([{"params": [p]}, {"params": [p]}], ValueError),
    ):
        with pytest.raises(error):
            Langevin(params, 0.1, damping=0.3)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        Langevin([p, p], 0.1, damping=0.3)


@every_setting
def test_named_parameters_keep_their_names(info):
    network = model()
    optimizer = make(info, hot(info), network.named_parameters())
    names = [name for name, _ in network.named_parameters()]
    assert optimizer.param_groups[0]["param_names"] == names
    run(list(network.parameters()), optimizer, 1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == names


@every_setting
def test_wrong_options_are_refused_by_name(info):
    assert len(WRONG) == len(info.optim_error_inputs_func(device="cpu"))
    for case in info.optim_error_inputs_func(device="cpu"):
        with pytest.raises(case.error_type, match=re.escape(case.error_regex)):
            make(info, case.optimizer_error_input.kwargs, tensors((3,)))


@every_case
def test_parameters_without_a_gradient_are_left_alone(info, options):
    params = tensors((5,), (2, 3), (4,))
    params[2].requires_grad_(False)
    optimizer = make(info, options, params)
    before = [p.detach().clone() for p in params]
    params[0].grad = torch.ones(5)
    optimizer.step()
    assert not torch.equal(params[0], before[0])
    assert_same(params[1:], before[1:])
    assert set(optimizer.state) == {params[0]}


@every_case
def test_only_the_values_of_parameters_change(info, options):
    params = tensors(*SHAPES)
    optimizer = make(info, options, params)
    give_gradients(params)
    kept = [(p, p.grad, p.grad.clone(), p.data_ptr(), p._version) for p in params]
    optimizer.step()
    for p, grad, value, pointer, version in kept:
        assert p.grad is grad and torch.equal(grad, value)
        assert p.data_ptr() == pointer and p.requires_grad and p.is_leaf
        assert p._version > version or p.numel() == 0, "a graph that saved the parameter would not notice"


@every_case
def test_memory_layouts_make_no_difference(info, options):
    """Transposed, strided and channels-last parameters and gradients move as contiguous ones do."""
    values = [torch.randn(shape, generator=noise(i)) for i, shape in enumerate([(4, 3), (6, 2), (2, 3, 4, 5)])]
    odd = [
        nn.Parameter(values[0].T.contiguous().T),
        nn.Parameter(torch.stack([values[1], values[1]], -1)[..., 0]),
        nn.Parameter(values[2].to(memory_format=torch.channels_last)),
    ]
    plain = [nn.Parameter(value.clone()) for value in values]
    ends = []
    for params in (odd, plain):
        optimizer = make(info, options, params)
        for _ in range(3):
            for p in params:
                p.grad = p.detach().sin()
                if params is odd:
                    p.grad = p.grad.mT.contiguous().mT
            optimizer.step()
        ends.append([p.detach().contiguous() for p in params])
    assert_same(*ends, rtol=1e-5, atol=1e-6)


@every_case
def test_complex_parameters_are_pairs_of_real_ones(info, options):
    numbers = tensors((3, 2), (5,), dtype=torch.complex64)
    with torch.no_grad():
        for p in numbers:
            p.imag.fill_(0.5)
    pairs = [nn.Parameter(torch.view_as_real(p.detach()).clone()) for p in numbers]
    optimizer, other = make(info, options, numbers), make(info, options, pairs)
    for step in range(3):
        for p, pair in zip(numbers, pairs, strict=True):
            p.grad = p.detach().sin() + step
            pair.grad = torch.view_as_real(p.grad).clone()
        optimizer.step()
        other.step()
    assert_same([torch.view_as_real(p.detach()) for p in numbers], [p.detach() for p in pairs], rtol=1e-5, atol=1e-6)


@every_case
def test_types_mix_in_one_group(info, options):
    types = [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64]
    params = [p for dtype in types for p in tensors((4, 3), dtype=dtype)]
    optimizer = make(info, options, params)
    before = [p.detach().clone() for p in params]
    run(params, optimizer, 2)
    for p, old, dtype in zip(params, before, types, strict=True):
        assert p.dtype == dtype and torch.isfinite(p).all() and not torch.equal(p, old)

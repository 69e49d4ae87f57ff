"""What PyTorch's own tests ask of an optimizer's states, asked of Langevin in every setting."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from physnn import Langevin
from tests.core.optimizer_infos import SHAPES, assert_same, every_case, every_setting, hot, make, model, run, tensors


@every_case
def test_a_saved_state_resumes_bit_for_bit(info, options):
    params = tensors(*SHAPES)
    optimizer = make(info, options, params)
    middle = run(params, optimizer, 2)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    end = run(params, optimizer, 2, start=2)
    again = [nn.Parameter(value) for value in middle]
    other = info.optim_cls(again, **options)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert_same(run(again, other, 2, start=2), end)


@every_setting
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["copy", "pickle"]
)
def test_a_copy_goes_on_alike_and_apart(info, copied):
    params = tensors(*SHAPES)
    optimizer = make(info, hot(info), params)
    run(params, optimizer, 2)
    again, other = copied((params, optimizer))
    assert all(a is b for a, b in zip(again, other.param_groups[0]["params"], strict=True))
    end = run(params, optimizer, 2, start=2)
    assert_same(run(again, other, 2, start=2), end)


@every_setting
def test_a_copy_has_every_attribute(info):
    optimizer = make(info, hot(info), tensors(*SHAPES))
    public = [{name for name in vars(each) if name[0] != "_"} for each in (optimizer, copy.deepcopy(optimizer))]
    assert public[0] == public[1]


@every_setting
@pytest.mark.parametrize("named", [(True, False), (False, True), (True, True)], ids=["from", "to", "both"])
def test_states_with_names_and_without_load_into_each_other(info, named):
    networks = [model(), model()]
    optimizers = [
        make(info, hot(info), network.named_parameters() if names else network.parameters())
        for network, names in zip(networks, named, strict=True)
    ]
    first, second = ([*network.parameters()] for network in networks)
    middle = run(first, optimizers[0], 2)
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    with torch.no_grad():
        for p, value in zip(second, middle, strict=True):
            p.copy_(value)
    assert_same(run(second, optimizers[1], 2, start=2), run(first, optimizers[0], 2, start=2))
    assert "param_names" in optimizers[1].param_groups[0]  # names that are loaded stay


@every_setting
def test_a_state_is_state_and_groups_and_reading_it_changes_nothing(info):
    params = tensors(*SHAPES)
    optimizer = make(info, hot(info), params)
    run(params, optimizer, 1)
    expected = copy.deepcopy(optimizer.state_dict())
    assert sorted(expected) == ["param_groups", "state"]
    assert sorted(expected["state"]) == [0, 1, 2, 3, 4]
    assert expected["param_groups"][0]["params"] == [0, 1, 2, 3, 4]
    assert {"lr", "damping", "temperature", "scheme"} <= expected["param_groups"][0].keys()
    assert_same(optimizer.state_dict()["state"], expected["state"])
    again = tensors(*SHAPES)
    assert_same(run(again, make(info, hot(info), again), 3), run(params, optimizer, 2, start=1) and params)


@every_setting
def test_a_state_of_another_model_is_refused(info):
    optimizer = make(info, hot(info), tensors((3,), (4,)))
    other = make(info, hot(info), tensors((3,)))
    with pytest.raises(ValueError, match="size of optimizer's group"):
        other.load_state_dict(optimizer.state_dict())
    other.add_param_group({"params": tensors((4,))})
    with pytest.raises(ValueError, match="different number of parameter groups"):
        other.load_state_dict(optimizer.state_dict())


@every_setting
def test_states_without_the_options_of_later_versions_load(info):
    params = tensors((5,))
    optimizer = make(info, hot(info), params)
    run(params, optimizer, 1)
    state = optimizer.state_dict()
    for name in info.not_og_supported_flags:
        del state["param_groups"][0][name]
    other = Langevin(params, 0.1, damping=0.3)
    other.load_state_dict(state)
    default = Langevin(params, 0.1, damping=0.3).param_groups[0]
    assert {n: other.param_groups[0][n] for n in info.not_og_supported_flags} == {
        n: default[n] for n in info.not_og_supported_flags
    }
    run(params, other, 1)


@every_setting
def test_a_state_in_another_type_follows_the_parameters(info):
    params = tensors((5,), (2, 3), dtype=torch.float64)
    optimizer = make(info, hot(info), params)
    run(params, optimizer, 2)
    narrow = [nn.Parameter(p.detach().float()) for p in params]
    other = make(info, hot(info), narrow)
    other.load_state_dict(optimizer.state_dict())
    assert other.state[narrow[0]]["velocity"].dtype == torch.float32
    assert_same(run(narrow, other, 1), [p.float() for p in run(params, optimizer, 1)], rtol=0, atol=2.0)


@every_setting
def test_hooks_of_states_run_and_may_replace_them(info):
    params = tensors((5,))
    optimizer = make(info, hot(info), params)
    run(params, optimizer, 1)
    called = []
    optimizer.register_state_dict_pre_hook(lambda optimizer: called.append("before saving"))
    optimizer.register_state_dict_post_hook(lambda optimizer, state: {**state, "note": "kept"})
    state = optimizer.state_dict()
    assert called == ["before saving"] and state["note"] == "kept"

    def prepare(optimizer, state):
        called.append("before loading")
        return {name: value for name, value in state.items() if name != "note"}

    optimizer.register_load_state_dict_pre_hook(prepare)
    optimizer.register_load_state_dict_post_hook(lambda optimizer: called.append("after loading"))
    optimizer.load_state_dict(state)
    assert called == ["before saving", "before loading", "after loading"]

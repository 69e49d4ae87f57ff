"""What PyTorch's own tests do to a module, done to both layers and the loss with every option."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, prune

from tests.core.module_infos import DTYPE, build, case, every_case, every_layer, every_module, gradients, inputs_of


@every_case
def test_copies_and_pickles_are_the_same_module(info, index):
    module, args = case(info, index)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for other in (copy.deepcopy(module), copy.copy(module), pickle.loads(pickle.dumps(module)), loaded):
        assert torch.equal(other(*args), module(*args))
        assert repr(other) == repr(module)


@every_case
def test_a_state_makes_another_the_same(info, index):
    module, args = case(info, index)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    for assign in (False, True):
        file.seek(0)
        other = build(info, inputs_of(info)[index], seed=1)
        assert other.load_state_dict(torch.load(file, weights_only=True), strict=True, assign=assign)
        assert torch.equal(other(*args), module(*args))


@every_layer
def test_a_module_without_storage_is_filled_by_a_state(info):
    for index, given in enumerate(inputs_of(info)):
        module, args = case(info, index)
        for empty in (False, True):
            with torch.device("meta"):
                other = build(info, given)
            assert all(t.is_meta for t in (*other.parameters(), *other.buffers()))
            assert other(args[0].to("meta")).shape == module(*args).shape
            if empty:
                other = other.to_empty(device="cpu")
            other.load_state_dict(module.state_dict(), assign=not empty)
            assert torch.equal(other(*args), module(*args))


@every_layer
def test_a_module_is_made_as_asked(info):
    for given in inputs_of(info):
        arguments = given.constructor_input
        if info.name == "DynamicLinear":
            made = info.module_cls(*arguments.args, **arguments.kwargs, device="meta", dtype=torch.bfloat16)
            assert all(p.is_meta and p.dtype == torch.bfloat16 for p in made.parameters())
            skipped = nn.utils.skip_init(info.module_cls, *arguments.args, **arguments.kwargs, dtype=DTYPE)
            assert all(not p.is_meta and p.dtype == DTYPE for p in skipped.parameters())
        torch.set_default_dtype(torch.float64)
        try:
            made = info.module_cls(*arguments.args, **arguments.kwargs)
        finally:
            torch.set_default_dtype(torch.float32)
        assert made.get_parameter("t").dtype == DTYPE


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_narrower_type_gives_the_same_within_its_spacing(info, index, dtype):
    module, args = case(info, index)
    narrow = copy.deepcopy(module).to(dtype)
    given = [a.to(dtype) if a.is_floating_point() else a for a in args]
    out = narrow(*given)
    assert out.dtype == dtype
    spacing = torch.finfo(dtype).eps
    size = module(*args).abs().max().item() if out.numel() else 0.0
    torch.testing.assert_close(out.to(DTYPE), module(*args), rtol=0, atol=64 * spacing * (1 + size))


@every_module
def test_options_stand_in_the_text(info):
    for given in inputs_of(info):
        text = repr(build(info, given))
        assert text.startswith(f"{info.name}(")
        assert all(f"{value}" in text for name, value in given.constructor_input.kwargs.items() if name != "fused")


@every_case
def test_hooks_see_the_call_and_its_gradient(info, index):
    module, args = case(info, index, requires_grad=True)
    seen = []
    module.register_forward_pre_hook(lambda module, args: seen.append("before"))
    module.register_forward_hook(lambda module, args, out: seen.append("after"))
    module.register_full_backward_hook(lambda module, by_input, by_output: seen.append(by_input[0].shape))
    gradients(module, args)
    assert seen == ["before", "after", args[0].shape]


@every_case
def test_a_functional_call_is_the_call(info, index):
    module, args = case(info, index)
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    other = build(info, inputs_of(info)[index], seed=1)
    assert torch.equal(functional_call(other, state, tuple(args)), module(*args))


@every_layer
def test_an_ensemble_under_vmap_is_its_members(info):
    for index, given in enumerate(inputs_of(info)):
        members = [build(info, given, seed=seed) for seed in range(3)]
        x = given.forward_input.args[0]
        stacked = torch.func.stack_module_state(members)
        base = copy.deepcopy(members[0]).to("meta")
        outs = torch.func.vmap(lambda *state, base=base, x=x: functional_call(base, state, (x,)))(*stacked)
        torch.testing.assert_close(outs, torch.stack([m(x) for m in members]), rtol=1e-10, atol=1e-12)
        assert outs.shape == (3, *case(info, index)[0](x).shape)


@every_module
def test_gradients_of_each_sample_under_vmap(info):
    module, args = case(info, 1 if info.name == "GinzburgLandauLoss" else 0)

    def one(*sample):
        return module(*(part.unsqueeze(0) for part in sample)).sum()

    together = torch.func.vmap(torch.func.grad(one))(*args)
    apart = torch.stack([torch.func.grad(one)(*(a[i] for a in args)) for i in range(len(args[0]))])
    torch.testing.assert_close(together, apart, rtol=1e-10, atol=1e-12)


@every_layer
@pytest.mark.parametrize("change", [parametrizations.weight_norm, parametrizations.orthogonal, prune.l1_unstructured])
def test_weights_can_be_parametrized_and_pruned(info, change):
    module, args = case(info, requires_grad=True)
    name = "weight" if hasattr(module, "weight") else "w"
    change(module, name, **({"amount": 0.5} if change is prune.l1_unstructured else {}))
    given = gradients(module, args)
    assert all(part is not None and torch.isfinite(part).all() for part in given)
    torch.testing.assert_close(
        given[0], inputs_of(info)[0].reference_fn(module, *args).detach(), rtol=1e-10, atol=1e-12
    )


@every_layer
def test_parameters_are_shared_in_place(info):
    module, args = case(info)
    before = module(*args)
    module.share_memory()
    assert all(p.is_shared() for p in module.parameters())
    assert torch.equal(module(*args), before)


@every_module
def test_it_compiles_in_one_graph(info):
    module, args = case(info, requires_grad=True, dtype=torch.float32)
    expected = gradients(module, args)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(gradients(compiled, args), expected, rtol=1e-5, atol=1e-6)

"""The layer goes where torch's own layers go: compile, export, func, fake mode, meta, dispatch modes."""

import copy
import importlib.util

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from physnn import DynamicLinear, ExperimentalLayer, dynamic_linear
from physnn.fast import when
from physnn.layer import POSITIONS

positions = pytest.mark.parametrize("position", POSITIONS)


def layer(position="index"):
    torch.manual_seed(0)
    return DynamicLinear(6, 4, position=position, bias=True)


def x():
    return torch.randn(3, 6, generator=torch.Generator().manual_seed(0))


def gradients(phi, module):
    return torch.autograd.grad(phi.square().sum(), list(module.parameters()))


@positions
def test_compiles_in_one_graph(position):
    torch._dynamo.reset()
    module = layer(position)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x()), module(x()))
    for actual, expected in zip(gradients(compiled(x()), module), gradients(module(x()), module), strict=True):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_compiles_under_autocast(dtype):
    torch._dynamo.reset()
    module = layer()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    with torch.autocast("cpu", dtype):
        assert torch.equal(compiled(x()), module(x()))


@positions
@pytest.mark.parametrize("strict", [True, False])
def test_exports(position, strict):
    module = layer(position)
    exported = torch.export.export(module, (x(),), strict=strict).module()
    torch.testing.assert_close(exported(x()), module(x()))


@positions
def test_an_ensemble_by_vmap(position):
    """Many layers in one call, their orders stacked with the rest."""
    layers = [DynamicLinear(6, 4, position=position) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(layers)
    base, data = copy.deepcopy(layers[0]).to("meta"), x()

    def call(parameters, buffers):
        return torch.func.functional_call(base, (parameters, buffers), (data,))

    together = torch.vmap(call)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([each(data) for each in layers]))


@positions
def test_on_the_meta_device_and_in_fake_mode(position):
    meta = layer(position).to("meta")
    phi = meta(x().to("meta"))
    assert phi.shape == (3, 4) and all(g.is_meta for g in gradients(phi, meta))
    assert meta.half()(x().half().to("meta")).dtype == torch.float16
    with FakeTensorMode():
        fake = layer(position)
        phi = fake(torch.randn(3, 6))
        assert isinstance(phi, FakeTensor) and phi.shape == (3, 4)
        assert all(isinstance(g, FakeTensor) for g in gradients(phi, fake))
    real = layer(position)
    expected = real(x())
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert real(x()).shape == (3, 4)
    assert torch.equal(real(x()), expected)


@positions
@pytest.mark.parametrize("mode", ["real", "fake"])
def test_is_traced_by_make_fx(position, mode):
    module = layer(position)
    traced = make_fx(module, tracing_mode=mode, **({} if mode == "real" else {"_allow_non_fake_inputs": True}))(x())
    other = x() + 1
    torch.testing.assert_close(traced(other), module(other))


def test_a_mode_sees_every_operation():
    """What counts operations, or replaces them, is shown the readable form."""
    seen = []

    class Look(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    with Look():
        phi = layer()(x())
    assert torch.ops.aten.cosh.default in seen and torch.ops.aten._local_scalar_dense.default not in seen
    assert phi.grad_fn.name() != "FusedDynamicLinearBackward"
    assert layer()(x()).grad_fn.name() == "FusedDynamicLinearBackward"


def test_a_tensor_of_another_type_gets_the_readable_form():
    class Mine(torch.Tensor):
        pass

    phi = layer()(x().as_subclass(Mine))
    assert isinstance(phi, Mine) and torch.allclose(phi, layer()(x()))
    assert phi.grad_fn.name() != "FusedDynamicLinearBackward"


@pytest.mark.parametrize(
    "missing", ["_are_functorch_transforms_active", "_functorch", "_len_torch_dispatch_stack", "jit.is_tracing"]
)
def test_without_torchs_private_names(monkeypatch, missing):
    """Where torch has moved one away, the cautious answer is given: the readable form, which is right for all."""
    owner, name = (torch.jit, "is_tracing") if missing == "jit.is_tracing" else (torch._C, missing)
    spec = importlib.util.spec_from_file_location("fused_elsewhere", when.__file__)
    elsewhere = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.delattr(owner, name)
        spec.loader.exec_module(elsewhere)
    leaf = x().requires_grad_()
    assert elsewhere.is_batched(leaf) == (missing == "_functorch")
    assert (
        elsewhere.applies(None, leaf) == elsewhere.has_numbers(leaf) == (missing != "_are_functorch_transforms_active")
    )
    for name in ("applies", "has_numbers", "is_batched", "is_traced"):
        monkeypatch.setattr(when, name, getattr(elsewhere, name))
    module = layer()
    inputs = (module.weight, module.beta, module.t)
    numbers = [torch.autograd.grad(dynamic_linear(x(), *inputs, fused=f).square().sum(), inputs) for f in (None, False)]
    for actual, expected in zip(*numbers, strict=True):
        torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(torch.vmap(module)(x()), module(x()))


@positions
def test_is_one_node_of_a_symbolic_trace(position):
    model = torch.nn.Sequential(layer(position), torch.nn.ReLU(), ExperimentalLayer(4, 2, 0.1))
    graph = torch.fx.symbolic_trace(model)
    assert [node.target for node in graph.graph.nodes].count(dynamic_linear) == 2
    torch.testing.assert_close(graph(x()), model(x()))
    graph(x()).sum().backward()
    assert model[0].beta.grad != 0

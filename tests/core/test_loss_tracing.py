"""Labels and fields go where cross-entropy and the squared error go; eager mode names a wrong label; autocast."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from physnn import GinzburgLandauLoss, ginzburg_landau_loss, labels
from physnn.fast import loss as fast
from physnn.fast import when

OPTIONS = [{}, {"norm": "sample", "outer": "none"}, {"boundary": "one-sided", "outer": "elementwise"}]
options = pytest.mark.parametrize("options", OPTIONS, ids=["default", "sample", "elementwise"])
kinds = pytest.mark.parametrize("kind", ["labels", "field"])


def given(kind):
    generator = torch.Generator().manual_seed(0)
    phi = torch.randn(6, 5, generator=generator)
    target = torch.randint(5, (6,), generator=generator) if kind == "labels" else torch.randn(6, 5, generator=generator)
    return phi, target


@options
@kinds
def test_compiles_in_one_graph(options, kind):
    torch._dynamo.reset()
    (phi, target), loss = given(kind), GinzburgLandauLoss(**options)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    functional = torch.compile(ginzburg_landau_loss, fullgraph=True, backend="aot_eager")
    ends = []
    for form in (loss, compiled, lambda *tensors: functional(*tensors, **options)):
        leaf = phi.clone().requires_grad_()
        value = form(leaf, target)
        ends.append((value.detach(), torch.autograd.grad(value, leaf)[0]))
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0])
    loss.quartic = 2.0  # and what is compiled follows
    torch.testing.assert_close(compiled(phi, target), loss(phi, target))


@options
@kinds
@pytest.mark.parametrize("strict", [True, False])
def test_exports(options, kind, strict):
    (phi, target), loss = given(kind), GinzburgLandauLoss(**options)
    exported = torch.export.export(loss, (phi, target), strict=strict).module()
    torch.testing.assert_close(exported(phi, target), loss(phi, target))


@options
@kinds
def test_vmap_over_samples(options, kind):
    """Gradients of samples, one by one and together."""
    (phi, target), loss = given(kind), GinzburgLandauLoss(**options)

    def single(phi, target):
        return loss(phi[None], target[None])

    together = torch.func.vmap(torch.func.grad(single))(phi, target)
    for row, phi_of_row, of_row in zip(together, phi, target, strict=True):
        leaf = phi_of_row.clone().requires_grad_()
        torch.testing.assert_close(row, torch.autograd.grad(single(leaf, of_row), leaf)[0])
    for in_dims in ((0, None), (None, 0)):
        each = torch.func.vmap(single, in_dims)(
            *(y if d == 0 else y[0] for y, d in zip((phi, target), in_dims, strict=True))
        )
        assert each.shape == (6,)


@options
@kinds
def test_on_the_meta_device_and_in_fake_mode(options, kind):
    (phi, target), loss = given(kind), GinzburgLandauLoss(**options)
    meta = phi.to("meta").requires_grad_()
    value = loss(meta, target.to("meta"))
    assert value.shape == () and torch.autograd.grad(value, meta)[0].shape == phi.shape
    with torch.autocast("cpu"):
        assert loss(meta.half(), target.to("meta")).dtype == torch.float16  # autocast knows no such device
    for inputs in (lambda: (phi.clone(), target), lambda: (torch.randn(6, 5), torch.zeros_like(target))):
        with FakeTensorMode(allow_non_fake_inputs=True):
            fake, of_fake = inputs()
            fake.requires_grad_()
            value = loss(fake, of_fake)
            assert isinstance(value, FakeTensor) and value.shape == ()
            assert torch.autograd.grad(value, fake)[0].shape == phi.shape


@options
@kinds
@pytest.mark.parametrize("mode", ["real", "fake"])
def test_is_traced_by_make_fx(options, kind, mode):
    (phi, target), loss = given(kind), GinzburgLandauLoss(**options)
    gradient = torch.func.grad(loss)
    traced = make_fx(gradient, tracing_mode=mode)(phi, target)
    torch.testing.assert_close(traced(phi + 1, target), gradient(phi + 1, target))


@kinds
def test_nothing_is_kept_of_a_mode(kind):
    """The first call is made in fake mode, in inference mode, on the meta device, in a transform; then one trains."""
    phi, target = given(kind)
    loss = GinzburgLandauLoss()
    leaf = phi.clone().requires_grad_()
    expected = torch.autograd.grad(GinzburgLandauLoss(fused=False)(leaf, target), leaf)[0]
    param = torch.nn.Parameter(phi.clone())

    def in_inference_mode():
        with torch.inference_mode(), torch.enable_grad():
            loss(param, target)
            loss(param.clone(), target)

    def in_fake_mode():
        with FakeTensorMode(allow_non_fake_inputs=True):
            loss(phi.clone().requires_grad_(), target)

    def on_meta():
        with torch.device("meta"):
            loss(param, target)  # the tensors stay where they are; new ones are made elsewhere

    def in_a_transform():
        torch.func.grad(loss)(phi, target)

    for first in (in_inference_mode, in_fake_mode, on_meta, in_a_transform):
        forget()
        first()
        torch.testing.assert_close(torch.autograd.grad(loss(leaf, target), leaf)[0], expected)


def forget():
    """Empty the caches of constants."""
    for cached in (fast._quadratic_form, labels._minus_ones):
        next(cell.cell_contents for cell in cached.__closure__ if isinstance(cell.cell_contents, dict)).clear()


def test_constants_of_a_mode_are_not_kept():
    made = []

    @when.constant
    def ones(n):
        made.append(n)
        return torch.ones(n)

    with FakeTensorMode():
        assert isinstance(ones(2), FakeTensor)
    with torch.inference_mode():
        assert ones(2).is_inference()
    with torch.device("meta"):
        assert ones(2).is_meta
    torch.func.vmap(lambda x: x + ones(2))(torch.zeros(3, 2))
    assert len(made) == 4 and torch.equal(ones(2), torch.ones(2)) and ones(2) is ones(2) and len(made) == 5
    for n in range(3 * when.KEPT):
        ones(n)
    assert len(next(c.cell_contents for c in ones.__closure__ if isinstance(c.cell_contents, dict))) <= when.KEPT


@pytest.mark.parametrize("wrong", [5, -1, 100])
@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8])
@options
def test_a_wrong_label_is_named(options, wrong, trained, dtype):
    phi, target = given("labels")
    target = target.to(dtype)
    target[3] = wrong
    with pytest.raises(ValueError, match=rf"class indices must lie in 0\.\.4, got .*{wrong}"):
        GinzburgLandauLoss(**options)(phi.requires_grad_(trained), target)


@pytest.mark.parametrize("wrong", [5, -1])
def test_a_wrong_label_never_goes_through(wrong):
    """Where it cannot be read it is torch's error about an index, as with cross_entropy."""
    torch._dynamo.reset()
    phi, target = given("labels")
    target[3] = wrong
    loss = GinzburgLandauLoss(norm="sample")
    for way in (
        lambda: torch.func.vmap(lambda p, y: loss(p[None], y[None]))(phi, target),
        lambda: torch.func.grad(loss)(phi, target),
        lambda: torch.compile(loss, backend="aot_eager")(phi, target),
    ):
        with pytest.raises((RuntimeError, ValueError), match=r"out of bounds|class indices"):
            way()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint64])
@pytest.mark.parametrize("trained", [True, False])
def test_labels_of_every_integer_type(dtype, trained):
    phi, target = given("labels")
    phi.requires_grad_(trained)
    assert torch.equal(ginzburg_landau_loss(phi, target.to(dtype)), ginzburg_landau_loss(phi, target))


def test_labels_of_any_layout():
    phi = torch.randn(6, 5)
    wide = torch.randint(5, (6, 3))
    for target in (wide[:, 1], wide[0, :1].expand(6), wide.T[2]):
        ends = []
        for form in (None, False):
            leaf = phi.clone().requires_grad_()
            value = ginzburg_landau_loss(leaf, target, fused=form)
            ends.append((value, *torch.autograd.grad(value, leaf)))
        torch.testing.assert_close(*ends)


@options
@kinds
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("form", [None, False])
def test_under_autocast_the_loss_is_at_least_float32(options, kind, dtype, form):
    """As torch's losses; and a scale on it, which float16 could not hold, comes back through the gradient."""
    phi, target = given(kind)
    leaf = phi.to(dtype).requires_grad_()
    loss = GinzburgLandauLoss(**options, fused=form)
    assert loss(leaf, target).dtype == dtype
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(leaf, target)
        assert (
            value.dtype == torch.nn.functional.mse_loss(leaf, leaf).dtype == torch.promote_types(dtype, torch.float32)
        )
    exact = leaf.detach().double().requires_grad_()
    expected = loss(exact, target)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    scale = 2.0**17
    (gradient,) = torch.autograd.grad(scale * value, leaf)
    (wide,) = torch.autograd.grad(scale * expected, exact)
    assert gradient.dtype == dtype
    fits = wide.abs() < 65504
    error = (gradient.double() - wide)[fits].abs().max()
    assert error <= 4 * torch.finfo(dtype).eps * wide.abs().max() + 1e-5 * wide.abs().max()


@kinds
def test_is_one_node_of_a_symbolic_trace(kind):
    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.loss = GinzburgLandauLoss(0.3, -1.0, 0.2, norm="sample")

        def forward(self, phi, target):
            return self.loss(2 * phi, target)

    phi, target = given(kind)
    traced = torch.fx.symbolic_trace(Step())
    assert sum(node.op == "call_function" for node in traced.graph.nodes) == 2
    torch.testing.assert_close(traced(phi, target), Step()(phi, target))

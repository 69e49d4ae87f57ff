"""The layer: equal to the post's code, where the post's code works; and sound where it does not."""

import copy
import io
import math

import pytest
import torch

from benchmarks import printed
from physnn import DynamicLinear, ExperimentalLayer, dynamic_linear
from physnn.lab.metrics.cost import largest_tensor

PRINTED = {torch.float32: (printed.ExperimentalLayer, 1e-5), torch.float64: (printed.ExperimentalLayer64, 1e-10)}


def assert_close(actual, expected, relative):
    """Compare in the largest entry: the scale of the post's layer spans three decades."""
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    assert (actual - expected).abs().max() <= relative * expected.abs().max()


@pytest.mark.parametrize("dtype", PRINTED)
@pytest.mark.parametrize(("batch", "inputs", "outputs"), [(1, 1, 1), (7, 5, 3), (16, 784, 10), (128, 64, 64)])
@pytest.mark.parametrize("beta", [-0.3, 0.0, 0.1, 1.0])
def test_equals_the_printed_class(dtype, batch, inputs, outputs, beta):
    reference_class, relative = PRINTED[dtype]
    torch.manual_seed(0)
    reference = reference_class(inputs, outputs, beta).to(dtype)
    torch.manual_seed(0)
    layer = ExperimentalLayer(inputs, outputs, beta).to(dtype)
    for ours, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
        assert torch.equal(ours, theirs)

    x = torch.randn(batch, inputs, dtype=dtype)
    cotangent = torch.randn(batch, outputs, dtype=dtype)
    results = []
    for module in (layer, reference):
        leaf = x.clone().requires_grad_()
        phi = module(leaf)
        grads = torch.autograd.grad(phi, [leaf, module.w, module.beta, module.t], cotangent)
        results.append([phi, *grads])
    for actual, expected in zip(*results, strict=True):
        assert_close(actual, expected, relative)


def test_dynamic_linear_is_the_same_layer_by_default():
    post = ExperimentalLayer(12, 4, 0.2)
    layer = DynamicLinear(12, 4, beta=0.2)
    layer.load_state_dict({"weight": post.w, "beta": post.beta, "t": post.t})
    x = torch.randn(3, 12)
    assert torch.equal(layer(x), post(x))


def test_loads_the_state_of_the_printed_class():
    reference = printed.ExperimentalLayer(6, 4, 0.3)
    layer = ExperimentalLayer(6, 4, 0.0)
    layer.load_state_dict(reference.state_dict())
    x = torch.randn(2, 6)
    torch.testing.assert_close(layer(x), reference(x))
    assert (layer.alpha, layer.gamma) == (0.0035, 5.0)


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 3, 5), (2, 3, 4, 5), (0, 5)])
def test_any_leading_dimensions(shape):
    layer = DynamicLinear(5, 3)
    x = torch.randn(shape)
    phi = layer(x)
    assert phi.shape == (*shape[:-1], 3)
    rows = [layer(row) for row in x.reshape(-1, 5)]
    if rows:
        torch.testing.assert_close(phi.reshape(-1, 3), torch.stack(rows))


def test_identities_of_the_rapidity():
    """The second derivative in beta is 25 phi; at beta = 0 nothing depends on t, and the map is linear."""
    torch.manual_seed(0)
    x, weight, t = (torch.randn(s, dtype=torch.float64) for s in ((4, 6), (3, 6), (1,)))

    def phi(beta):
        return dynamic_linear(x, weight, beta, t)

    beta = torch.tensor(0.17, dtype=torch.float64)
    second = torch.func.jacfwd(torch.func.jacfwd(phi))(beta)
    torch.testing.assert_close(second, 25 * phi(beta))

    tau = t * torch.sigmoid(x.mean(-1, keepdim=True))
    index = torch.arange(6, dtype=torch.float64)
    first = 5 * (torch.sinh(5 * beta) * (index * x) @ weight.T + torch.cosh(5 * beta) * tau * (x @ weight.T))
    torch.testing.assert_close(torch.func.jacfwd(phi)(beta), first)

    zero = torch.zeros((), dtype=torch.float64)
    by_t = torch.func.jacfwd(lambda t: dynamic_linear(x, weight, zero, t))(t)
    assert torch.equal(by_t, torch.zeros_like(by_t))
    torch.testing.assert_close(dynamic_linear(2 * x, weight, zero, t), 2 * dynamic_linear(x, weight, zero, t))


@pytest.mark.parametrize("gate", ["input", 0.5])
def test_derivatives_by_finite_differences(gate):
    torch.manual_seed(0)
    sizes = ((2, 3, 5), (4, 5), (), (1,), (5,), (4,))
    x, weight, beta, t, position, bias = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in sizes)

    def phi(x, weight, beta, t, position, bias):
        return dynamic_linear(x, weight, 0.1 * beta, t, position=position, gate=gate, bias=bias)

    inputs = (x, weight, beta, t, position, bias)
    assert torch.autograd.gradcheck(phi, inputs)
    assert torch.autograd.gradgradcheck(phi, inputs)


def test_positions():
    n = 10
    index = torch.arange(n)
    vectors = {}
    for kind in ("index", "normalized", "ones", "permuted", "learned"):
        layer = DynamicLinear(n, n, beta=0.0, position=kind)
        torch.nn.init.eye_(layer.weight)
        vectors[kind] = layer(torch.ones(n)).detach()  # at beta = 0 the layer multiplies by the position
    assert torch.equal(vectors["index"], index.float())
    assert torch.equal(vectors["learned"], index.float())
    assert torch.equal(vectors["ones"], torch.ones(n))
    assert vectors["normalized"].square().mean().item() == pytest.approx(1, rel=1e-6)
    torch.testing.assert_close(vectors["normalized"] * vectors["index"][1] / vectors["normalized"][1], index.float())
    assert torch.equal(vectors["permuted"].sort().values, index.float())
    assert not torch.equal(vectors["permuted"], index.float())


def test_normalized_positions_are_as_exact_as_the_layer():
    layer = DynamicLinear(784, 3, beta=0.2, position="normalized").double()
    x = torch.rand(4, 784, dtype=torch.float64)
    position = torch.arange(784, dtype=torch.float64)
    position = position / position.square().mean().sqrt()
    torch.testing.assert_close(layer(x), dynamic_linear(x, layer.weight, layer.beta, layer.t, position=position))


def test_the_permuted_order_is_saved_and_the_learned_one_trains():
    permuted = DynamicLinear(20, 3, position="permuted")
    copied = DynamicLinear(20, 3, position="permuted")
    assert not torch.equal(copied.position, permuted.position)
    copied.load_state_dict(permuted.state_dict())
    x = torch.randn(2, 20)
    assert torch.equal(copied(x), permuted(x))
    assert set(DynamicLinear(4, 3, bias=True).state_dict()) == {"weight", "beta", "t", "bias"}

    learned = DynamicLinear(4, 3, position="learned")
    learned(torch.randn(2, 4)).sum().backward()
    assert learned.position.grad.abs().sum() > 0


def test_a_constant_gate_makes_the_layer_linear():
    layer = DynamicLinear(6, 3, gate=0.25).double()
    x = torch.randn(2, 6, dtype=torch.float64)
    torch.testing.assert_close(layer(3 * x), 3 * layer(x))
    expected = (torch.arange(6) * math.cosh(0.5) + 0.25 * math.sinh(0.5)) * layer.weight
    torch.testing.assert_close(layer(x), x @ expected.T)
    gated = DynamicLinear(6, 3).double()
    assert not torch.allclose(gated(3 * x), 3 * gated(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_the_positions_exact(dtype):
    """The index 783 has no bfloat16; the scale is computed in float32."""
    torch.manual_seed(0)
    layer = DynamicLinear(784, 10, beta=0.1)
    x = torch.rand(4, 784)
    low = copy.deepcopy(layer).to(dtype)
    phi = low(x.to(dtype))
    assert phi.dtype == dtype and phi.isfinite().all()
    # Rounding of x, W and the product, each about half a unit in the last place.
    assert_close(phi.float(), layer(x), 4 * torch.finfo(dtype).eps)
    assert torch.equal(low.position, torch.arange(784))


def test_strided_inputs_deepcopy_pickle_autocast():
    layer = DynamicLinear(6, 4, bias=True)
    x = torch.randn(6, 8).T
    assert not x.is_contiguous()
    torch.testing.assert_close(layer(x), layer(x.contiguous()))
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(x), layer(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16


def test_per_sample_gradients_by_vmap():
    layer = ExperimentalLayer(5, 3, 0.1)
    x = torch.randn(4, 5)
    params = dict(layer.named_parameters())

    def output(params, row):
        return torch.func.functional_call(layer, params, row).square().sum()

    together = torch.func.vmap(torch.func.grad(output), (None, 0))(params, x)
    for i, row in enumerate(x):
        alone = torch.func.grad(output)(params, row)
        for name in params:
            torch.testing.assert_close(together[name][i], alone[name])


def test_no_tensor_of_size_batch_times_out_times_in():
    batch, inputs, outputs = 16, 20, 30
    layer = DynamicLinear(inputs, outputs)
    x = torch.randn(batch, inputs, requires_grad=True)
    largest = largest_tensor(lambda: layer(x).sum().backward())
    assert largest == 4 * max(batch * inputs, inputs * outputs, batch * outputs)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: DynamicLinear(0, 3), ValueError, "at least 1, got 0 and 3"),
        (lambda: DynamicLinear(3, 3, position="indices"), ValueError, "'indices'"),
        (lambda: DynamicLinear(3, 3, gate="sigmoid"), ValueError, "'sigmoid'"),
        (lambda: DynamicLinear(3, 3, gate=math.inf), ValueError, "inf"),
        (lambda: DynamicLinear(3, 3, beta=math.nan), ValueError, "nan"),
        (lambda: DynamicLinear(1, 3, position="normalized"), ValueError, "in_features >= 2"),
        (lambda: ExperimentalLayer(3, 3, math.nan), ValueError, "nan"),
        (lambda: ExperimentalLayer(0, 3, 0.1), ValueError, "at least 1, got 0 and 3"),
        (lambda: DynamicLinear(3, 2)(torch.ones(2, 4)), ValueError, r"\(\*, 3\), got \(2, 4\)"),
        (lambda: ExperimentalLayer(3, 2, 0.1)(torch.ones(())), ValueError, r"got \(\)"),
        (lambda: DynamicLinear(3, 2)(torch.ones(2, 3, dtype=torch.uint8)), TypeError, "uint8"),
    ],
)
def test_bad_input(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_repr_and_meta_device():
    assert "position='ones'" in repr(DynamicLinear(4, 3, position="ones"))
    assert "input_size=4, output_size=3" in repr(ExperimentalLayer(4, 3, 0.1))
    layer = DynamicLinear(4, 3, device="meta", dtype=torch.float64)
    assert layer(torch.empty(2, 4, device="meta", dtype=torch.float64)).shape == (2, 3)


def test_the_closed_form_gradient_is_that_of_autograd():
    """A seeded fuzz of 200 cases: shapes, strides, types, gates, which inputs are given and which need a gradient."""
    generator = torch.Generator().manual_seed(0)

    def pick(*choices):
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    for case in range(200):
        dtype, tolerance = pick((torch.float64, 1e-12), (torch.float32, 2e-5), (torch.bfloat16, 0.03))
        n, m, gate = pick(1, 2, 7, 33), pick(1, 3, 16), pick("input", "input", 0.5, 0.0)
        shape = (*pick((), (1,), (5,), (0,), (2, 3), (2, 1, 4)), n)
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        if pick(True, False):
            x = x.mT.contiguous().mT if x.dim() > 1 else x.repeat_interleave(2)[::2]
        sizes = [(m, n), (), pick((), (1,)), (n,), (m,)]
        rest = [torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes]
        rest[1] *= 0.3
        inputs = [tensor.to(dtype).requires_grad_(pick(True, True, False)) for tensor in [x, *rest]]
        inputs[1 + case % 3].requires_grad_()
        inputs[4], inputs[5] = pick(inputs[4], None, torch.arange(n)), pick(inputs[5], None)
        cotangent = torch.randn((*shape[:-1], m), generator=generator, dtype=torch.float64).to(dtype)
        results = []
        for fused in (None, False):
            leaves = [None if x is None else x.detach().requires_grad_(x.requires_grad) for x in inputs]
            x, weight, beta, t, position, bias = leaves
            phi = dynamic_linear(x, weight, beta, t, position=position, gate=gate, bias=bias, fused=fused)
            wanted = [leaf for leaf in leaves if leaf is not None and leaf.requires_grad]
            results.append([phi, *torch.autograd.grad(phi, wanted, cotangent)])
        for actual, expected in zip(*results, strict=True):
            assert actual.dtype == expected.dtype and actual.shape == expected.shape, case
            if not expected.numel():
                continue
            # Sums of the order of the largest term can cancel: the batch and the width bound their size.
            bound = tolerance * max(1.0, expected.abs().max().item()) * (40 if actual.numel() == 1 else 1)
            assert (actual - expected).abs().max() <= bound, (case, gate, dtype, shape)


def test_every_way_to_differentiate():
    """Reverse over reverse, forward mode, and torch.func agree with the composed form."""
    torch.manual_seed(0)
    fused, composed = DynamicLinear(5, 3).double(), DynamicLinear(5, 3, fused=False).double()
    composed.load_state_dict(fused.state_dict())
    x, direction = torch.randn(2, 4, 5, dtype=torch.float64)
    for way in (
        lambda layer: torch.func.hessian(lambda x: layer(x).pow(3).sum())(x),
        lambda layer: torch.autograd.functional.hessian(lambda x: layer(x).pow(3).sum(), x),
        lambda layer: torch.func.jvp(layer, (x,), (direction,))[1],
        lambda layer: torch.func.vmap(layer)(x),
    ):
        torch.testing.assert_close(way(fused), way(composed), rtol=1e-12, atol=1e-12)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, direction)
        tangent = torch.autograd.forward_ad.unpack_dual(fused(dual)).tangent
    torch.testing.assert_close(tangent, torch.func.jvp(composed, (x,), (direction,))[1])


def test_many_gradients_of_one_pass():
    """By is_grads_batched, and by vmap over a call of autograd: as one after the other."""
    layer = DynamicLinear(4, 3, bias=True).double()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    phi, cotangents = layer(x), torch.randn(6, 5, 3, dtype=torch.float64)
    wanted = [x, *layer.parameters()]

    def gradients(cotangent, **options):
        return torch.autograd.grad(phi, wanted, cotangent, retain_graph=True, **options)

    each = [torch.stack(several) for several in zip(*map(gradients, cotangents), strict=True)]
    for together in (gradients(cotangents, is_grads_batched=True), torch.func.vmap(gradients)(cotangents)):
        for actual, expected in zip(together, each, strict=True):
            torch.testing.assert_close(actual, expected)


def test_gradients_under_autocast():
    """The product is of the narrow type, each gradient of its parameter's; and so inside as outside of the region."""
    torch.manual_seed(0)
    layer, x = DynamicLinear(8, 4, bias=True), torch.randn(16, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        phi = layer(x)
        assert phi.dtype == torch.bfloat16
        expected = torch.autograd.grad(phi.float().square().sum(), list(layer.parameters()))
    phi = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # entered between the passes: the products stay exact
        inside = torch.autograd.grad(phi.square().sum(), list(layer.parameters()))
    exact = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
    for narrow, within, wide in zip(expected, inside, exact, strict=True):
        assert narrow.dtype == within.dtype == torch.float32
        assert_close(narrow, wide, 0.03)  # a few roundings of 2^-8
        assert_close(within, wide, 0.03)


def test_a_rapidity_too_large_for_a_float_is_infinite_in_both_forms():
    x = torch.ones(2, 3)
    for beta in (17.9, 150.0, -1e30, math.nan):
        layer = DynamicLinear(3, 2)
        torch.nn.init.constant_(layer.beta, beta)
        fused = layer(x)
        layer.fused = False
        assert not fused.isfinite().any()
        torch.testing.assert_close(fused, layer(x), equal_nan=True)


def test_an_output_may_be_changed_in_place():
    """Nothing of the output is kept for the gradient, as in a linear layer: a rectifier may work in place."""
    layer, x = DynamicLinear(5, 3), torch.randn(4, 5, requires_grad=True)
    (inplace,) = torch.autograd.grad(torch.relu_(layer(x)).sum(), x)
    (other,) = torch.autograd.grad(torch.relu(layer(x)).sum(), x)
    torch.testing.assert_close(inplace, other)


def test_compiles_in_one_graph():
    torch.manual_seed(0)
    layer = DynamicLinear(6, 4)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = torch.randn(3, 6, requires_grad=True)
    wanted = [x, *layer.parameters()]
    for actual, expected in zip(
        torch.autograd.grad(compiled(x).square().sum(), wanted),
        torch.autograd.grad(layer(x).square().sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected)

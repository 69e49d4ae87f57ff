"""Random shapes, types, strides and coefficients, against the post's code and a plain loop. The draws are fixed."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import printed
from physnn import ExperimentalLayer, Langevin, ginzburg_landau_loss
from physnn.loss import BOUNDARIES, NORMS, OUTERS

fuzz = settings(derandomize=True, deadline=None, max_examples=60, database=None)
sizes = st.integers(1, 9)
seeds = st.integers(0, 10**6)
coefficients = st.one_of(st.just(0.0), st.floats(-8, 8))
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.t().contiguous().t(),
    "strided": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "expanded": lambda x: x[:1].expand_as(x),
    "offset": lambda x: torch.cat([x, x])[len(x) :],
}


def normal(seed, *shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@fuzz
@given(
    seed=seeds, batch=sizes, inputs=sizes, outputs=sizes, layout=st.sampled_from(sorted(LAYOUTS)),
    single=st.booleans(), beta=st.floats(-1.5, 1.5), t=st.floats(-4, 4), scale=st.floats(1e-3, 1e3),
)  # fmt: skip
def test_layer_equals_the_printed_class(seed, batch, inputs, outputs, layout, single, beta, t, scale):
    dtype, relative = (torch.float32, 1e-4) if single else (torch.float64, 1e-10)
    reference = (printed.ExperimentalLayer if single else printed.ExperimentalLayer64)(inputs, outputs, beta).to(dtype)
    layer = ExperimentalLayer(inputs, outputs, beta).to(dtype)
    with torch.no_grad():
        reference.w.copy_(normal(seed, outputs, inputs))
        reference.t.fill_(t)
    layer.load_state_dict(reference.state_dict())
    leaf = (scale * normal(seed + 1, batch, inputs)).to(dtype)
    results = []
    for module in (layer, reference):
        x = leaf.clone().requires_grad_()
        phi = module(LAYOUTS[layout](x))
        # Sizes, against which a difference counts: sums of both signs may cancel to nothing.
        wanted = [x, module.w, module.beta, module.t]
        results.append([phi, *torch.autograd.grad(phi, wanted, normal(seed + 2, batch, outputs, dtype=dtype))])
    size = scale * inputs * math.cosh(5 * abs(beta)) * (1 + abs(t)) * inputs * outputs * batch * 50
    for actual, expected in zip(*results, strict=True):
        assert actual.shape == expected.shape and actual.dtype == expected.dtype
        assert (actual - expected).abs().max() <= relative * max(expected.abs().max(), 1e-3 * size)


def reference_loss(phi, target, options):
    """Compute the loss of the docstring's formulas, number by number, in float64."""
    quadratic, quartic, spatial, norm, boundary, outer = options
    groups = [phi] if norm == "batch" else list(phi)
    peaks = [group.abs().max() for group in groups]
    scaled = [group / peak if peak > 0 else group for group, peak in zip(groups, peaks, strict=True)]
    u = scaled[0] if norm == "batch" else torch.stack(scaled)
    total = 0.0
    axes = (1,) if phi.dim() == 2 else range(2, phi.dim())
    for place in torch.cartesian_prod(*(torch.arange(n) for n in phi.shape)).reshape(-1, phi.dim()).tolist():
        d = u[tuple(place)] - target[tuple(place)]
        density = quadratic * d**2 + quartic * d**4
        for axis in axes:
            i, n = place[axis], phi.shape[axis]

            def at(j, place=place, axis=axis):
                return u[(*place[:axis], j, *place[axis + 1 :])]

            if boundary == "periodic":
                step = (at((i + 1) % n) - at((i - 1) % n)) / 2
            elif boundary == "zero":
                step = ((at(i + 1) if i + 1 < n else 0.0) - (at(i - 1) if i > 0 else 0.0)) / 2
            elif boundary == "replicate":
                step = (at(min(i + 1, n - 1)) - at(max(i - 1, 0))) / 2
            else:
                step = at(1) - at(0) if i == 0 else at(i) - at(i - 1) if i == n - 1 else (at(i + 1) - at(i - 1)) / 2
            density = density + spatial * step**2
        total = total + (abs(density) if outer == "elementwise" else density)
    mean = total / phi.numel()
    return abs(mean) if outer == "abs" else mean


@settings(fuzz, max_examples=120)
@given(
    seed=seeds, shape=st.lists(st.integers(1, 4), min_size=2, max_size=4), options=st.tuples(
        coefficients, coefficients, coefficients,
        st.sampled_from(NORMS), st.sampled_from(BOUNDARIES), st.sampled_from(OUTERS),
    ),
    labels=st.booleans(), ties=st.booleans(), zeros=st.booleans(), strided=st.booleans(), single=st.booleans(),
)  # fmt: skip
def test_loss_equals_the_formula(seed, shape, options, labels, ties, zeros, strided, single):
    axes = (1,) if len(shape) == 2 else range(2, len(shape))
    if options[4] == "one-sided":
        shape = [max(n, 2) if axis in axes else n for axis, n in enumerate(shape)]
    phi = normal(seed, *shape)
    if ties:
        phi = phi.sign() * (1 + (phi.abs() < 0.5))  # four values: the maximum stands at several places
    if zeros:
        phi[0] = 0
    target = normal(seed + 1, *shape).abs()
    target /= target.amax(tuple(range(len(shape))) if options[3] == "batch" else tuple(range(1, len(shape))), True)
    given_target = target
    if labels and len(shape) == 2:
        given_target = torch.randint(shape[1], shape[:1], generator=torch.Generator().manual_seed(seed))
        target = torch.nn.functional.one_hot(given_target, shape[1]).double()
    expected = phi.clone().requires_grad_()
    reference = reference_loss(expected, target, options)
    (gradient,) = torch.autograd.grad(reference, expected)
    dtype, tolerance = (torch.float32, 3e-5) if single else (torch.float64, 1e-11)
    size = sum(map(abs, options[:3])) * 16 + 1e-3
    for fused in (None, False):
        leaf = phi.to(dtype).requires_grad_()
        x = leaf.repeat_interleave(2, 0)[::2] if strided else leaf
        field = given_target if given_target.dim() == 1 else given_target.to(dtype)
        value = ginzburg_landau_loss(x, field, *options[:3], norm=options[3], boundary=options[4], outer=options[5],
                                     fused=fused)  # fmt: skip
        assert abs(value.item() - reference.item()) <= tolerance * size
        if single or abs(reference.item()) < 1e-9 * size:
            continue  # |.| has no derivative at 0, and rounding may put ties apart
        (actual,) = torch.autograd.grad(value, leaf)
        smallest = phi.abs()[phi != 0].min() if phi.any() else 1.0
        if not ties:  # there the reference's maximum gives all to one place
            assert (actual - gradient).abs().max() <= 1e-9 * size / smallest


@fuzz
@given(
    seed=seeds, shapes=st.lists(st.lists(sizes, max_size=3), min_size=1, max_size=5), single=st.booleans(),
    lr=st.floats(0, 0.5), damping=st.floats(0.01, 1.99), temperature=st.one_of(st.just(0.0), st.floats(0, 2)),
    decay=st.floats(0, 0.5), scheme=st.sampled_from(["post", "gjf", "baoa"]),
    noise=st.sampled_from(["normal", "two-point"]), transposed=st.booleans(), maximize=st.booleans(),
)  # fmt: skip
def test_optimizer_paths_take_the_same_steps(
    seed, shapes, single, lr, damping, temperature, decay, scheme, noise, transposed, maximize
):
    dtype, tolerance = (torch.float32, 1e-4) if single else (torch.float64, 1e-10)
    ends = []
    for foreach in (None, False, True):
        params = [normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes)]
        params = [(p.mT.contiguous().mT if transposed and p.dim() > 1 else p).requires_grad_() for p in params]
        optimizer = Langevin(params, lr, damping=damping, temperature=temperature, weight_decay=decay, scheme=scheme,
                             noise=noise, foreach=foreach, maximize=maximize,
                             generator=torch.Generator().manual_seed(seed))  # fmt: skip
        for step in range(3):
            for i, p in enumerate(params):
                p.grad = normal(seed + 100 * step + i, *p.shape, dtype=dtype)
            optimizer.step()
        ends.append(params)
    for default, single_tensor, multi in zip(*ends, strict=True):
        torch.testing.assert_close(default, single_tensor, rtol=tolerance, atol=10 * tolerance)
        torch.testing.assert_close(multi, single_tensor, rtol=tolerance, atol=10 * tolerance)

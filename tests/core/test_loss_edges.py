"""The loss's closed form is its readable form also where numbers are odd: layouts, zeros, infinities, tiny and huge."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from physnn import ginzburg_landau_density, ginzburg_landau_loss
from physnn.loss import BOUNDARIES, NORMS, OUTERS

fuzz = settings(derandomize=True, deadline=None, max_examples=250, database=None)
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "offset": lambda x: torch.cat([x, x])[len(x) :],
    "expanded": lambda x: x[:1].expand_as(x),
    "constant": lambda x: x.flatten()[:1].view([1] * x.dim()).expand_as(x),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x,
    "negative view": lambda x: torch._neg_view(-x),
}
ODD = {
    "none": (1.0, None),
    "zero": (0.0, None),
    "nan": (1.0, math.nan),
    "infinite": (1.0, math.inf),
    "minus infinite": (1.0, -math.inf),
    "one huge": (1.0, 3e38),
    "huge": (3e37, None),
    "large": (1e15, None),
    "small": (1e-15, None),
    "tiny": (1e-30, None),
    "denormal": (1e-42, None),
}
layouts, odd = st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(ODD))


def field(seed, shape, dtype, layout, oddity):
    scale, one = ODD[oddity]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale
    if one is not None:
        x.view(-1)[seed % x.numel()] = one
    return LAYOUTS[layout](x.to(dtype))


def values_and_gradients(phi, target, cotangent, **options):
    ends = []
    for fused in (False, None):
        leaf = phi.detach().requires_grad_()
        value = ginzburg_landau_loss(leaf, target, **options, fused=fused)
        ends.append((value, *torch.autograd.grad(value, leaf, torch.tensor(cotangent, dtype=value.dtype))))
    return ends


@fuzz
@given(
    seed=st.integers(0, 10**6), shape=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]),
    layout=layouts, of_target=layouts, oddity=odd, odd_target=odd, labels=st.booleans(),
    cotangent=st.sampled_from([1.0, 1.0, -2.5, 0.0, math.inf, -math.inf, math.nan, 1e30]),
    coefficients=st.sampled_from([(0.0035, -5.0, 0.5), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0),
                                  (1e30, -5.0, 1e-30), (3.0, 1e300, 1.0)]),
    norm=st.sampled_from(NORMS), boundary=st.sampled_from(BOUNDARIES), outer=st.sampled_from(OUTERS),
)  # fmt: skip
def test_the_closed_form_is_the_readable_form(
    seed, shape, dtype, layout, of_target, oddity, odd_target, labels, cotangent, coefficients, norm, boundary, outer
):
    if boundary == "one-sided":
        shape = [max(n, 2) for n in shape]
    phi = field(seed, shape, dtype, layout, oddity)
    if labels and len(shape) == 2:
        target = torch.randint(shape[1], shape[:1], generator=torch.Generator().manual_seed(seed))
    else:
        target = field(seed + 1, shape, dtype, of_target, odd_target)
    quadratic, quartic, spatial = coefficients
    options = {"quadratic": quadratic, "quartic": quartic, "spatial": spatial}
    (value, gradient), (closed, of_closed) = values_and_gradients(
        phi, target, cotangent, **options, norm=norm, boundary=boundary, outer=outer
    )
    told = (
        seed,
        shape,
        dtype,
        layout,
        of_target,
        oddity,
        odd_target,
        labels,
        cotangent,
        coefficients,
        norm,
        boundary,
        outer,
    )
    assert closed.dtype == value.dtype and of_closed.dtype == gradient.dtype and of_closed.shape == gradient.shape
    eps = torch.finfo(torch.promote_types(dtype, torch.float32)).eps
    size = sum(map(abs, coefficients)) * 16
    bound = 64 * max(eps, torch.finfo(dtype).eps / 16) * size
    if value.isfinite():
        assert abs(closed.double() - value.double()) <= bound, (told, closed, value)
    else:
        assert torch.equal(closed.isnan(), value.isnan()) and (closed.isnan() or closed == value), (told, closed, value)
    density = ginzburg_landau_density(phi, target, **options, norm=norm, boundary=boundary)
    if outer != "none" and ((density if outer == "elementwise" else value).abs() <= bound).any():
        return  # the sign of what is zero but for rounding
    finite = gradient.isfinite()
    assert torch.equal(of_closed.isnan(), gradient.isnan()), (told, of_closed, gradient)
    assert torch.equal(of_closed[~finite & ~gradient.isnan()], gradient[~finite & ~gradient.isnan()]), told
    if not finite.any():
        return
    # What is zero by construction is so up to a rounding of its largest summand.
    peaks = phi.double().abs().flatten(1).amax(1)
    peaks = peaks.max() if norm == "batch" else peaks[peaks > 0].min() if peaks.any() else peaks.max()
    summand = size * abs(cotangent) / (peaks or 1.0)
    largest = gradient[finite].double().abs().max() + summand
    error = (of_closed.double() - gradient.double())[finite].abs().max()
    assert error <= 64 * max(eps, torch.finfo(dtype).eps) * largest + 1e-45, (told, of_closed, gradient)

"""The Langevin optimizer of the post: momentum with friction, and noise at a temperature."""

import cmath
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from physnn import scheme as schemes
from physnn.compiled import DTYPES, compiled_update
from physnn.noise import KINDS, draw, room

NEW_OPTIONS = {"scheme": "post", "noise": "normal", "fused": None, "compiled": False}  # absent in old pickles


class Langevin(Optimizer):
    r"""Underdamped Langevin dynamics, discretized as in the post.

    .. math::
        v &\leftarrow (1 - \gamma)\,v - \alpha\,(g + \lambda\theta) + \sqrt{2\gamma\alpha T}\;\eta \\
        \theta &\leftarrow \theta + v, \qquad \eta \sim \mathcal N(0, 1)

    With exact gradients of a loss L and small steps it samples :math:`\exp(-L/T)`, where that has a finite
    integral: a loss that does not change when the weights are scaled needs weight decay. With a *mean* negative
    log-likelihood over N samples, the Bayesian posterior is T = 1/N. At T = 0 it is :class:`torch.optim.SGD`
    with the same lr and momentum :math:`1 - \gamma`, and :math:`v` is minus lr times its momentum buffer; at
    :math:`\gamma = 1` it is stochastic gradient Langevin dynamics,
    :math:`\theta \leftarrow \theta - \alpha g + \sqrt{2\alpha T}\,\eta`.

    On :math:`L = \kappa\theta^2/2`, with :math:`k = \alpha\kappa`, :math:`\sigma^2 = 2\gamma\alpha T` and
    :math:`\eta_n` the noise of step n, each scheme has its stationary law:

    ``"post"``, the update above, is symplectic Euler, and the chain of positions of Brünger, Brooks & Karplus (1984).
    Stable for :math:`k < 2(2-\gamma)`:

    .. math::
        \langle\theta^2\rangle &= \frac{T/\kappa}{1 - k/(4-2\gamma)} \\
        \langle v^2\rangle &= \frac{4\alpha T}{2(2-\gamma) - k}, \qquad \langle\theta v\rangle = \langle v^2\rangle/2

    ``"gjf"`` replaces :math:`\eta_n` by :math:`(\eta_{n-1} + \eta_n)/2` and keeps :math:`\eta_n` in the state
    (Grønbech-Jensen & Farago 2013; at :math:`\gamma = 1` Leimkuhler & Matthews 2013). Stable for
    :math:`k < 2(2-\gamma)`, and exact at every stable step:

    .. math::
        \langle\theta^2\rangle = T/\kappa, \qquad \langle v^2\rangle = \alpha T, \qquad
        \langle\theta v\rangle = \alpha T/2

    ``"baoa"`` is a kick, half a drift, friction with noise, half a drift (Leimkuhler & Matthews 2015):
    :math:`v \leftarrow v - \alpha g`, :math:`\theta \leftarrow \theta + v/2`,
    :math:`v \leftarrow (1-\gamma)v + \sqrt{\gamma(2-\gamma)\alpha T}\,\eta`,
    :math:`\theta \leftarrow \theta + v/2`. Stable for :math:`k < 4`, with the law of ``"gjf"``. Its positions are
    those of ``"gjf"`` with lr :math:`(1-\gamma/2)\alpha`; at T = 0 those of SGD with that lr.

    Args:
        params: parameters, or groups of them, each group with options of its own.
        lr: :math:`\alpha`, at least 0.
        damping: :math:`\gamma`, between 0 and 2, both excluded.
        temperature: T, at least 0, in the units of the loss.
        weight_decay: :math:`\lambda`, at least 0, added to the loss as :math:`\lambda|\theta|^2/2`.
        generator: source of the noise; None makes one per device, seeded from torch's global generator.
        maximize: climb instead of descend.
        foreach: update all tensors at once (True, and None) or one after the other (False): the same numbers.
        check_finite: raise before anything changes when a gradient is not finite. Costs one pass over the gradients.
        scheme: ``"post"``, ``"gjf"`` or ``"baoa"``, above.
        noise: ``"normal"``, exactly; ``"two-point"`` or ``"byte-sum"``, faster (:func:`physnn.noise.draw`).
        fused: update velocity and parameter in one pass (``"post"`` and ``"gjf"``), where torch has the kernel and the
            tensors are contiguous; the same numbers up to rounding. None and False: as ``foreach`` says.
        compiled: one kernel for noise and update, for ``noise="byte-sum"`` and contiguous float32 and float64 tensors;
            the same numbers up to rounding. It compiles once, for every shape and every schedule. Without a working
            compiler a warning is given, once, and the update runs uncompiled.

    ``state_dict`` holds the velocities and the state of the noise, so that a run resumed from it takes the same
    path, bit for bit. Gradients are never modified.

    Raises:
        ValueError: an option is outside its range, or the generator is on another device than the parameters.
        FloatingPointError: (in ``step``) a gradient is not finite.
        RuntimeError: (in ``step``) a gradient is sparse.

    Source: the post, "Physics-Inspired Optimization"; Chen, Fox & Guestrin (2014), equation 15.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        damping: float,
        temperature: float = 0.0,
        weight_decay: float = 0.0,
        generator: torch.Generator | None = None,
        maximize: bool = False,
        foreach: bool | None = None,
        check_finite: bool = True,
        scheme: str = "post",
        noise: str = "normal",
        fused: bool | None = None,
        compiled: bool = False,
    ) -> None:
        self.check_finite = check_finite
        self.scratch: dict[tuple[torch.device, torch.dtype], Tensor] = {}
        self.thermometer = None  # set by physnn.Thermometer
        self.generators = {} if generator is None else {generator.device: generator}
        self.own_generators = generator is None
        options = {"lr": lr, "damping": damping, "temperature": temperature, "weight_decay": weight_decay}
        options |= {"maximize": maximize, "foreach": foreach}
        super().__init__(params, {**options, "scheme": scheme, "noise": noise, "fused": fused, "compiled": compiled})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; options it does not give are the optimizer's."""
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        for device in {p.device for p in self.param_groups[-1]["params"]}:
            if self.own_generators and device not in self.generators:
                seed = int(torch.randint(2**63 - 1, ()))
                self.generators[device] = torch.Generator(device).manual_seed(seed)
            elif device not in self.generators:
                self.param_groups.pop()
                raise ValueError(f"the generator is on {next(iter(self.generators))}, but a parameter is on {device}")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; return the closure's loss, if one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:  # a schedule may have changed them
            _check_options(group)
        self._check_gradients()
        if self.thermometer is not None:
            self.thermometer.before()
        for group in self.param_groups:
            with_grad = [p for p in group["params"] if p.grad is not None]
            for params in _by_device_and_dtype(with_grad).values():
                self._step(group, params)
        if self.thermometer is not None:
            self.thermometer.after()
        return loss

    def _step(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """Update the parameters of one group, device and type."""
        if group["noise"] == "byte-sum":
            params = sorted(params, key=Tensor.numel)  # as compiled_update wants them
        for p in params:
            if "velocity" not in self.state[p]:
                self.state[p]["velocity"] = torch.zeros_like(p, memory_format=torch.preserve_format)
        # A complex number is two real degrees of freedom.
        thetas = [_real(p) for p in params]
        grads = [_real(p.grad) for p in params]
        velocities = [_real(self.state[p]["velocity"]) for p in params]
        scheme, hot = group["scheme"], group["temperature"] > 0
        last = self._last_noise(group["noise"], params, thetas) if hot and scheme == "gjf" else None
        spread = 2 - group["damping"] if scheme == "baoa" else 2
        noise_std = math.sqrt(spread * group["damping"] * group["lr"] * group["temperature"])
        numbers = {
            "lr": -group["lr"] if group["maximize"] else group["lr"],
            "damping": group["damping"],
            "weight_decay": -group["weight_decay"] if group["maximize"] else group["weight_decay"],
        }
        tensors = (thetas, grads, velocities)
        special = group["compiled"] or group["fused"]
        contiguous = special and all(t.is_contiguous() for several in tensors for t in several)
        if group["compiled"] and hot and contiguous and thetas[0].dtype in DTYPES:
            generator = self.generators[params[0].device]
            if compiled_update(scheme, *tensors, last, generator, noise_std=noise_std, **numbers):
                return
        fuse = group["fused"] and contiguous and schemes.can_fuse(thetas, group["damping"])
        noise = eta = self._noise(group["noise"], thetas, noise_std if fuse and last is None else 1.0, hot)
        if last is not None:
            torch._foreach_add_(last, noise)
            eta, noise_std = last, noise_std / 2
        if fuse:
            if last is not None:
                torch._foreach_mul_(eta, noise_std)
            schemes.fused(*tensors, eta, **numbers)
        else:
            update = schemes.single_tensor if group["foreach"] is False else schemes.multi_tensor
            update(scheme, *tensors, eta if hot else None, noise_std=noise_std, **numbers)
        if last is not None:
            torch._foreach_copy_(last, noise)

    def _noise(self, kind: str, thetas: list[Tensor], std: float, hot: bool = True) -> list[Tensor]:
        """Draw noise for all tensors at once, so that every form of the update sees the same; zeros if not hot.

        It lies in a buffer that the next call uses again: fresh pages cost more than the update.
        """
        total = sum(p.numel() for p in thetas)
        device, dtype = thetas[0].device, thetas[0].dtype
        flat = self.scratch.get((device, dtype))
        if flat is None or flat.numel() < room(total):
            flat = self.scratch[device, dtype] = torch.empty(room(total), device=device, dtype=dtype)
        sizes = [p.numel() for p in thetas]
        parts = draw(kind, sizes, self.generators[device], flat, std) if hot else flat[:total].zero_().split(sizes)
        return [part.view_as(p) for part, p in zip(parts, thetas, strict=True)]

    def _last_noise(self, kind: str, params: list[Tensor], thetas: list[Tensor]) -> list[Tensor]:
        """Return the noise of the last step; before the first one, draw it."""
        if any("noise" not in self.state[p] for p in params):
            for p, part in zip(params, self._noise(kind, thetas, 1.0), strict=True):
                if "noise" not in self.state[p]:
                    self.state[p]["noise"] = torch.empty_like(p, memory_format=torch.preserve_format)
                    _real(self.state[p]["noise"]).copy_(part)
        return [_real(self.state[p]["noise"]) for p in params]

    def state_dict(self) -> dict[str, Any]:
        """Return velocities and options as every torch optimizer does, and the state of the noise."""
        noise = {str(device): generator.get_state() for device, generator in self.generators.items()}
        return {**super().state_dict(), "noise": noise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned.

        Raises:
            ValueError: it holds no state of the noise for a device in use, or groups that do not match.
        """
        noise = state_dict.get("noise", {})
        missing = [str(device) for device in self.generators if str(device) not in noise]
        if missing:
            raise ValueError(f"the state_dict holds the noise of {list(noise)}, not of {missing}: is it of a Langevin?")
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "noise"})
        for device, generator in self.generators.items():
            generator.set_state(noise[str(device)].cpu())

    def __getstate__(self) -> dict[str, Any]:
        noise = {device: generator.get_state() for device, generator in self.generators.items()}
        own = {"check_finite": self.check_finite, "own_generators": self.own_generators}
        return {**super().__getstate__(), **own, "generators": noise}

    def __setstate__(self, state: dict[str, Any]) -> None:
        noise = state.pop("generators", {})
        super().__setstate__(state)
        self.scratch, self.thermometer = {}, self.__dict__.get("thermometer")
        for group in self.param_groups:
            for name, value in NEW_OPTIONS.items():
                group.setdefault(name, value)
        if noise:
            self.generators = {device: torch.Generator(device) for device in noise}
            for device, generator in self.generators.items():
                generator.set_state(noise[device])

    def _check_gradients(self) -> None:
        """Raise, before anything changes, on a gradient that is sparse or (unless switched off) not finite."""
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        for p in params:
            if p.grad.is_sparse:
                raise RuntimeError("Langevin does not support sparse gradients; use a dense one (sparse=False)")
        if not self.check_finite or _sums_are_finite([p.grad for p in params]):
            return
        bad = next(((i, p) for i, p in enumerate(params) if not p.grad.isfinite().all()), None)
        if bad is not None:  # else only the sum overflowed
            i, bad = bad
            raise FloatingPointError(
                f"the gradient of parameter {i} (shape {tuple(bad.shape)}) has "
                f"{int((~bad.grad.isfinite()).sum())} values that are not finite; nothing was updated. "
                "Lower lr, or look for a division by zero in the loss"
            )


def _sums_are_finite(grads: list[Tensor]) -> bool:
    """Sum the gradients, several times cheaper than a look at each value: what is not finite leaves no sum finite."""
    elsewhere = [g for g in grads if g.device.type != "cpu"]
    if elsewhere and not math.isfinite(get_total_norm(elsewhere)):
        return False
    return all(cmath.isfinite(g.sum().item()) for g in grads if g.device.type == "cpu")


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _by_device_and_dtype(params: list[Tensor]) -> dict[tuple[torch.device, torch.dtype], list[Tensor]]:
    buckets = defaultdict(list)
    for p in params:
        buckets[p.device, p.dtype].append(p)
    return buckets


def _check_options(group: dict[str, Any]) -> None:
    for name in ("lr", "temperature", "weight_decay"):
        if not (math.isfinite(group[name]) and group[name] >= 0):
            raise ValueError(f"{name} must be finite and at least 0, got {group[name]}")
    if not 0 < group["damping"] < 2:
        raise ValueError(f"damping must lie between 0 and 2, both excluded, got {group['damping']}")
    for name, known in (("scheme", schemes.SCHEMES), ("noise", KINDS)):
        if group[name] not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {group[name]!r}")
    if group["compiled"] and group["noise"] != "byte-sum":
        raise ValueError(f"compiled=True makes its noise in the kernel: set noise='byte-sum', got {group['noise']!r}")
    if group["fused"] and (group["compiled"] or group["scheme"] == "baoa"):
        raise ValueError("fused=True knows the schemes 'post' and 'gjf', and goes without compiled=True")

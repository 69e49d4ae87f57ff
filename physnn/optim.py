"""The Langevin optimizer of the post: momentum with friction, and noise at a temperature."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from physnn.gradients import check_gradients
from physnn.noise import KINDS
from physnn.scheme import SCHEMES
from physnn.update import batches, update

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
        foreach: update many tensors at once (True) or one after the other (False): the same numbers. None: True,
            where ``fused`` does not apply.
        check_finite: raise before anything changes when a gradient is not finite. Costs one pass over the gradients.
        scheme: ``"post"``, ``"gjf"`` or ``"baoa"``, above.
        noise: ``"normal"``, exactly; ``"two-point"`` or ``"byte-sum"``, faster (:func:`physnn.noise.draw`).
        fused: update velocity and parameter in one pass (``"post"`` and ``"gjf"``), where torch has the kernel and the
            tensors are contiguous; the same numbers up to rounding. None: True, unless ``foreach`` is given.
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
        with_grad = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        check_gradients(with_grad, self.check_finite)
        measuring = self.thermometer is not None and self.thermometer.begin()
        for index, group in enumerate(self.param_groups):
            for params in batches(group):
                if measuring:
                    self.thermometer.before(index, params)
                states = [self.state[p] for p in params]
                update(params, group, states, self.generators[params[0].device], self.scratch)
                if measuring:
                    self.thermometer.after(index, params)
        return loss

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


def _check_options(group: dict[str, Any]) -> None:
    for name in ("lr", "temperature", "weight_decay"):
        if not (math.isfinite(group[name]) and group[name] >= 0):
            raise ValueError(f"{name} must be finite and at least 0, got {group[name]}")
    if not 0 < group["damping"] < 2:
        raise ValueError(f"damping must lie between 0 and 2, both excluded, got {group['damping']}")
    for name, known in (("scheme", SCHEMES), ("noise", KINDS)):
        if group[name] not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {group[name]!r}")
    if group["compiled"] and group["noise"] != "byte-sum":
        raise ValueError(f"compiled=True makes its noise in the kernel: set noise='byte-sum', got {group['noise']!r}")
    if group["fused"] and (group["compiled"] or group["scheme"] == "baoa"):
        raise ValueError("fused=True knows the schemes 'post' and 'gjf', and goes without compiled=True")

"""The Langevin optimizer of the post: momentum with friction, and noise at a temperature."""

import math
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from physnn.fast.step import batches, begin, update
from physnn.gradients import check_gradients
from physnn.noise import KINDS
from physnn.scheme import SCHEMES, each
from physnn.source import KEY, NoiseSource
from physnn.state import WIDE, check_parameters, check_state, rescaling

if TYPE_CHECKING:
    from physnn.temperature import Thermometer

# Absent in the states of older versions.
NEW_OPTIONS = {"scheme": "post", "noise": "normal", "fused": None, "compiled": False, "noise_at_zero": True}
F = TypeVar("F", bound=Callable[..., Any])


def untraced(function: F) -> F:
    """Have ``torch.compile`` leave a function alone that checks values and takes noise from generators."""
    left: F = (getattr(torch, "_disable_dynamo", None) or torch.compiler.disable)(function)
    return left


class Langevin(Optimizer):
    r"""Underdamped Langevin dynamics, discretized as in the post.

    .. math::
        v &\leftarrow (1 - \gamma)\,v - \alpha\,(g + \lambda_w\theta) + \sqrt{2\gamma\alpha T}\;\eta \\
        \theta &\leftarrow \theta + v, \qquad \eta \sim \mathcal N(0, 1)

    With exact gradients of a loss L and small steps it samples :math:`\exp(-L/T)`, where that has a finite
    integral and its gradient grows no faster than :math:`\theta`. A loss that does not change when the weights are
    scaled needs weight decay for that (the direction of the weights has its law without), and a steeper one has no
    stationary law at any lr (Mattingly, Stuart & Higham 2002). With a *mean* negative log-likelihood over N samples,
    the Bayesian posterior is T = 1/N. At T = 0, constant lr and :math:`\gamma \le 1` it is :class:`torch.optim.SGD`
    with the same lr and momentum :math:`1 - \gamma`, and :math:`v` is minus lr times its momentum buffer; at
    :math:`\gamma = 1` it is stochastic gradient Langevin dynamics,
    :math:`\theta \leftarrow \theta - \alpha g + \sqrt{2\alpha T}\,\eta`.

    On :math:`L = \lambda\theta^2/2`, with :math:`k = \alpha\lambda`, :math:`\sigma^2 = 2\gamma\alpha T` and
    :math:`\eta_n` the noise of step n, each scheme has its stationary law:

    ``"post"``, the update above, is symplectic Euler, and the chain of positions of Brünger, Brooks & Karplus (1984).
    Stable for :math:`k < 2(2-\gamma)`:

    .. math::
        \langle\theta^2\rangle &= \frac{T/\lambda}{1 - k/(4-2\gamma)} \\
        \langle v^2\rangle &= \frac{4\alpha T}{2(2-\gamma) - k}, \qquad \langle\theta v\rangle = \langle v^2\rangle/2

    ``"gjf"`` replaces :math:`\eta_n` by :math:`(\eta_{n-1} + \eta_n)/2` and keeps :math:`\eta_n` in the state
    (Grønbech-Jensen & Farago 2013; at :math:`\gamma = 1` Leimkuhler & Matthews 2013). Stable for
    :math:`k < 2(2-\gamma)`, and exact at every stable step:

    .. math::
        \langle\theta^2\rangle = T/\lambda, \qquad \langle v^2\rangle = \alpha T, \qquad
        \langle\theta v\rangle = \alpha T/2

    ``"baoa"`` is a kick, half a drift, friction with noise, half a drift (Leimkuhler & Matthews 2015):
    :math:`v \leftarrow v - \alpha g`, :math:`\theta \leftarrow \theta + v/2`,
    :math:`v \leftarrow (1-\gamma)v + \sqrt{\gamma(2-\gamma)\alpha T}\,\eta`,
    :math:`\theta \leftarrow \theta + v/2`. Stable for :math:`k < 4`, with the law of ``"gjf"``. Its positions are
    those of ``"gjf"`` with lr :math:`(1-\gamma/2)\alpha`; at T = 0 those of SGD with that lr.

    The velocity is a displacement per step: in equilibrium :math:`\langle v^2\rangle = \alpha T`. When a schedule
    changes lr, what is sampled stays at T only if v changes with it: ``rescale`` multiplies v by
    :math:`\sqrt{\alpha_\mathrm{new}/\alpha_\mathrm{old}}` before the step. What a sudden jump leaves is a swing of
    :math:`\langle\theta^2\rangle` by less than :math:`\sqrt k/2` of itself, for about :math:`1/\gamma` steps. With
    lr = 0 the clock then stands still: nothing moves, and v is kept for the lr that follows. Without ``rescale`` v
    knows nothing of the schedule: a smaller lr meets velocities that are too hot, a larger one too cold ones. With
    lr = 0 v then coasts: :math:`v \leftarrow (1-\gamma)v`, :math:`\theta \leftarrow \theta + v`. (The buffer of SGD is
    multiplied by the lr of the moment: a third rule, the same at constant lr.)

    Parameters in float16 and bfloat16 are moved in float32: velocity, noise and what the parameter's own type cannot
    hold are kept in float32 beside it, so that the sum of many small steps is not lost. The gradient is that of the
    rounded parameter.

    A parameter without a gradient, or with ``requires_grad=False``, is left alone. A value whose gradient is zero is
    moved by the noise all the same, as a flat direction is: rows of an embedding that the loss never reads, its
    ``padding_idx`` among them, diffuse unless ``noise_at_zero=False`` in their group.

    Args:
        params: parameters, or groups of them, each group with options of its own.
        lr: :math:`\alpha`, at least 0; a number, or a tensor of one element.
        damping: :math:`\gamma`, between 0 and 2, both excluded.
        temperature: T, at least 0, in the units of the loss.
        weight_decay: :math:`\lambda_w`, at least 0, added to the loss as :math:`\lambda_w|\theta|^2/2`.
        generator: source of the noise; None makes one per device, seeded from torch's global generator. In several
            processes (:mod:`torch.distributed`) the noise has to be said, by a generator or by :meth:`reseed`:
            seeded alike in every process for replicas of one model (DistributedDataParallel), or they drift apart;
            seeded apart for pieces of one, or for chains of their own.
        maximize: climb instead of descend.
        foreach: update many tensors at once (True) or one after the other (False): the same numbers. None: True,
            where ``fused`` does not apply.
        check_finite: raise before anything changes when a gradient is not finite. Costs one pass over the gradients.
        scheme: ``"post"``, ``"gjf"`` or ``"baoa"``, above.
        noise: ``"normal"``, exactly; ``"two-point"`` or ``"byte-sum"``, faster (:func:`physnn.noise.draw`).
        fused: update velocity and parameter in one pass (``"post"`` and ``"gjf"``), where torch has the kernel and the
            tensors are contiguous; the same numbers up to rounding. None: True, unless ``foreach`` is given.
        compiled: one kernel for noise and update, for ``noise="byte-sum"`` and contiguous float32 and float64 tensors;
            the same numbers up to rounding. It compiles once, for every shape and every schedule; on a GPU it is one
            launch for all tensors. Without a working compiler a warning is given, once, and the update runs uncompiled.
        rescale: rescale the velocities when lr has changed, above. None: False for ``"post"``, which stays as printed,
            and True for ``"gjf"`` and ``"baoa"``.
        noise_at_zero: False: no noise on a value in a step in which its gradient is exactly 0.

    ``state_dict`` holds the velocities and, beside one of them, the state of the noise, so that a run resumed from it
    takes the same path, bit for bit. For chains that start from one checkpoint and are independent, call :meth:`reseed`
    after loading. Gradients are never modified. Under :func:`torch.compile` a step runs as it is, between two graphs.

    Raises:
        TypeError: a parameter is no floating or complex number of 16 to 128 bits, or a DTensor; an option is no
            number.
        ValueError: an option is outside its range, or the generator is on another device than the parameters.
        FloatingPointError: (in ``step``) a gradient is not finite.
        RuntimeError: (in ``step``) a gradient is sparse, or gradient or velocity do not fit the parameter; several
            processes would draw noise from generators that nobody has seeded.

    Source: the post, "Physics-Inspired Optimization"; Chen, Fox & Guestrin (2014), equation 15.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor,
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
        rescale: bool | None = None,
        noise_at_zero: bool = True,
    ) -> None:
        self.check_finite = check_finite
        self.scratch: dict[tuple[torch.device, torch.dtype], Tensor] = {}
        self.thermometer: Thermometer | None = None  # set by physnn.Thermometer
        self.source = NoiseSource(generator)
        options: dict[str, Any] = {
            "lr": lr,
            "damping": damping,
            "temperature": temperature,
            "weight_decay": weight_decay,
        }
        options |= {"maximize": maximize, "foreach": foreach, "scheme": scheme, "noise": noise, "fused": fused}
        options |= {"compiled": compiled, "rescale": rescale, "noise_at_zero": noise_at_zero}
        super().__init__(params, {**options, "velocity_lr": None})  # the lr of the last step: the velocities' unit

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; options it does not give are the optimizer's."""
        group = {**self.defaults, **param_group}
        _check_options(group)
        if group["rescale"] is None:
            param_group["rescale"] = group["scheme"] != "post"
        super().add_param_group(param_group)
        try:
            check_parameters(self.param_groups[-1]["params"])
            for device in dict.fromkeys(p.device for p in self.param_groups[-1]["params"]):  # in a fixed order
                self.source.of(device)
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise

    def reseed(self, seed: int) -> None:
        """Start the noise anew, as a generator with this seed would; a generator that was given is seeded too.

        Two optimizers that have loaded the same state and are seeded apart are independent from here on.
        """
        for p, state in self.state.items():
            if KEY in state:  # loaded or copied, and not to be followed any more
                self.source.written[p.device] = state[KEY]
        self.source.reseed(seed)

    @untraced
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; return the closure's loss, if one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            _check_options(group)  # a schedule may have changed them
            for i, p in enumerate(group["params"]):
                state = self.state.get(p, {})
                if KEY in state:
                    self.source.follow(p.device, state[KEY])
                if p.grad is not None and p.requires_grad:
                    check_state(i, index, p, state)
        moving = [p for group in self.param_groups for p in group["params"] if p.grad is not None and p.requires_grad]
        check_gradients(moving, self.check_finite)
        if not self.source.written:
            self._write_noise()
        if any(group["temperature"] > 0 for group in self.param_groups):
            self.source.check_seeded()
        thermometer = self.thermometer
        if thermometer is not None and not thermometer.begin():
            thermometer = None
        for index, group in enumerate(self.param_groups):
            lr = float(group["lr"])
            if lr == 0 and group["velocity_lr"] is None:
                group["velocity_lr"] = 0.0
            if lr == 0 and group["rescale"]:  # the clock stands still
                for params in batches(group):
                    begin(params, group, [self.state[p] for p in params])
                continue
            if (factor := rescaling(group, lr)) != 1:
                velocities = [self.state.get(p, {}).get("velocity") for p in group["params"]]
                each("mul_", [v for v in velocities if v is not None], factor)
            for params in batches(group):
                if thermometer is not None:
                    thermometer.before(index, params)
                states = [self.state[p] for p in params]
                update(params, group, states, self.source.of(params[0].device), self.scratch)
                if thermometer is not None:
                    thermometer.after(index, params)
            group["velocity_lr"] = lr or group["velocity_lr"]
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return ``state`` and ``param_groups`` as every torch optimizer does; the noise is in the former."""
        self._write_noise()
        return super().state_dict()

    def _write_noise(self) -> None:
        self.source.write(self.state, chain.from_iterable(group["params"] for group in self.param_groups))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned, here or in an older version; all of it follows the parameters' device.

        The noise goes on where it was. Where the state holds none, or that of another kind of device, a warning is
        given, and the optimizer goes on with its own.

        Raises:
            ValueError: it is not of a Langevin, or holds groups that do not match.
        """
        loaded: dict[str, Any] = {}
        handle = self.register_load_state_dict_pre_hook(lambda _, given: loaded.update(given))  # after all others
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()
        saved = chain.from_iterable(group["params"] for group in loaded["param_groups"])
        params = list(chain.from_iterable(group["params"] for group in self.param_groups))
        for key, p in zip(saved, params, strict=True):
            for name, value in loaded["state"].get(key, {}).items():
                if p.dtype in WIDE and isinstance(value, Tensor):  # torch has rounded it to the parameter's type
                    self.state[p][name] = value.detach().to(p.device, WIDE[p.dtype], copy=True)
        held = {p.device: self.state[p][KEY] for p in params if KEY in self.state.get(p, {})}
        older = {torch.device(device): state for device, state in loaded.get("noise", {}).items()}
        for device in {p.device: None for p in params if p.device in self.source.generators}:
            given = held.get(device, older.get(device))
            if given is not None:
                self.source.follow(device, given)
            else:
                self.source.warn(f"the state holds no noise for {device}", stacklevel=2)

    def __getstate__(self) -> dict[str, Any]:
        self._write_noise()
        return {**super().__getstate__(), "check_finite": self.check_finite, "source": self.source}

    def __setstate__(self, state: dict[str, Any]) -> None:
        foreign = {name for group in state["param_groups"] for name in ("damping", "temperature") if name not in group}
        if foreign:
            raise ValueError(f"the groups have no {' and no '.join(sorted(foreign))}: is it the state of a Langevin?")
        if "generators" in state:  # pickled by an older version
            noise = {str(device): generator for device, generator in state.pop("generators").items()}
            state["source"] = NoiseSource(None)
            state["source"].__setstate__({"given": not state.pop("own_generators"), "seeded": True, "states": noise})
        super().__setstate__(state)
        self.scratch, self.thermometer = {}, self.__dict__.get("thermometer")
        for group in self.param_groups:
            for name, value in NEW_OPTIONS.items():
                group.setdefault(name, value)
            group.setdefault("rescale", group["scheme"] != "post")
            group.setdefault("velocity_lr", float(group["lr"]))


def _check_options(group: dict[str, Any]) -> None:
    for name in ("lr", "damping", "temperature", "weight_decay"):
        value = group[name]
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(f"{name} must be one number, got a tensor of shape {tuple(value.shape)}")
        try:
            finite = math.isfinite(value)
        except TypeError:
            raise TypeError(f"{name} must be a number, got {value!r}") from None
        if name == "damping":
            if not 0 < value < 2:
                raise ValueError(f"damping must lie between 0 and 2, both excluded, got {value}")
        elif not (finite and value >= 0):
            raise ValueError(f"{name} must be finite and at least 0, got {value}")
    for name, known in (("scheme", SCHEMES), ("noise", KINDS)):
        if group[name] not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {group[name]!r}")
    if group["compiled"] and group["noise"] != "byte-sum":
        raise ValueError(f"compiled=True makes its noise in the kernel: set noise='byte-sum', got {group['noise']!r}")
    if group["compiled"] and not group["noise_at_zero"]:
        raise ValueError(
            "compiled=True makes its noise in the kernel, on every value: it goes without noise_at_zero=False"
        )
    if group["fused"] and (group["compiled"] or group["scheme"] == "baoa"):
        raise ValueError("fused=True knows the schemes 'post' and 'gjf', and goes without compiled=True")

"""Temperatures of a Langevin run: two thermometers with confidence bands, and schedules of the temperature set."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from physnn.optim import Langevin
from physnn.state import wide


class Thermometer:
    r"""Measure the kinetic and the configurational temperature of every parameter group of a :class:`Langevin`.

    .. math::
        T_\mathrm{kin} = \frac{|w|^2}{\alpha P}, \qquad T_\mathrm{conf} = \frac{\theta\cdot\nabla L(\theta)}{P}

    over the P values of the group that have a gradient. With the scheme ``"post"`` w is the mean velocity
    :math:`(v_n + v_{n+1})/2`, with ``"gjf"`` and ``"baoa"`` the velocity itself: in equilibrium on a quadratic loss
    :math:`\langle T_\mathrm{kin}\rangle = T` exactly, for every stable step, and the values of w are independent and
    normal, so that :math:`P\,T_\mathrm{kin}/T` is :math:`\chi^2` with P degrees of freedom.
    :math:`\langle T_\mathrm{conf}\rangle` is T with ``"gjf"`` and ``"baoa"``; with ``"post"`` and curvatures
    :math:`\lambda` it is T times the mean of :math:`1/(1 - \alpha\lambda/(4-2\gamma))`. It is the virial theorem, with
    the gradient at the start of the step and weight decay in it; it holds where L binds every parameter, and minibatch
    noise raises both.

    Args:
        optimizer: has one thermometer at most; the last one made replaces the one before.
        every: measure in steps 1, 1 + every, ...; the other steps cost nothing.

    Raises:
        ValueError: every is less than 1.

    Source: Rugh (1997); Grønbech-Jensen & Farago (2013); Wenzel et al. (2020), appendix I, for the bands.
    """

    def __init__(self, optimizer: Langevin, *, every: int = 10) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        self.optimizer, self.every, self.steps = optimizer, every, 0
        self.sums: list[dict[str, Any]] = []
        self.old: dict[tuple[torch.device, torch.dtype], Tensor] = {}
        optimizer.thermometer = self

    def read(self, confidence: float = 0.99) -> list[dict[str, Any]]:
        """Return the last measurement, a dictionary for each group: empty before the first step.

        ``kinetic`` and ``configurational`` are scalars on the device; ``temperature`` is the one set, ``dof`` is P,
        and ``low`` to ``high`` is where the kinetic temperature lies with probability ``confidence``.
        """
        readings = []
        for sums in self.sums:
            temperature, dof, lr = sums["temperature"], sums["dof"], sums["lr"]
            low, high = band(temperature, dof, confidence)
            kinetic = _sum(sums["squares"]) / (lr * dof) if lr > 0 and dof else torch.tensor(math.nan)
            configurational = _sum(sums["virials"]) / max(dof, 1)
            values = {"temperature": temperature, "dof": dof, "kinetic": kinetic, "configurational": configurational}
            readings.append({**values, "low": low, "high": high})
        return readings

    def begin(self) -> bool:
        """Called by the optimizer when all gradients are known: return whether this step is measured."""
        self.steps += 1
        if (self.steps - 1) % self.every:
            return False
        groups = self.optimizer.param_groups
        self.sums = [
            {"temperature": float(g["temperature"]), "lr": float(g["lr"]), "dof": 0, "virials": [], "squares": []}
            for g in groups
        ]
        return True

    def before(self, index: int, params: list[Tensor]) -> None:
        """Called when some parameters of a group, all of one device and type, are about to move."""
        group, sums = self.optimizer.param_groups[index], self.sums[index]
        sign = -1 if group["maximize"] else 1
        sums["dof"] += sum(p.numel() * (2 if p.is_complex() else 1) for p in params)
        sums["virials"] += [sign * _dot(p, p.grad) for p in params if p.grad is not None]
        if group["weight_decay"]:
            sums["virials"] += [group["weight_decay"] * _dot(p, p) for p in params]
        if group["scheme"] == "post":
            for part, p in zip(self._old(params), params, strict=True):
                velocity = self.optimizer.state[p].get("velocity")
                part.zero_() if velocity is None else part.copy_(velocity)

    def after(self, index: int, params: list[Tensor]) -> None:
        """Called when they have moved."""
        velocities = [self.optimizer.state[p]["velocity"] for p in params]
        squares = self.sums[index]["squares"]
        if self.optimizer.param_groups[index]["scheme"] == "post":
            parts = self._old(params)
            torch._foreach_add_(parts, velocities)
            squares += [_dot(part, part) / 4 for part in parts]
        else:
            squares += [_dot(v, v) for v in velocities]

    def _old(self, params: list[Tensor]) -> list[Tensor]:
        """Return room for the old velocities, the same for every batch: fresh pages cost more than the measurement."""
        total, key = sum(p.numel() for p in params), (params[0].device, wide(params[0].dtype))
        if key not in self.old or self.old[key].numel() < total:
            self.old[key] = torch.empty(total, device=key[0], dtype=key[1])
        parts = self.old[key][:total].split([p.numel() for p in params])
        return [part.view_as(p) for part, p in zip(parts, params, strict=True)]


def band(temperature: float, dof: int, confidence: float = 0.99) -> tuple[float, float]:
    r"""Return the central interval of :math:`T\chi^2_P/P` that holds with probability ``confidence``."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, both excluded, got {confidence}")
    if dof == 0:
        return math.nan, math.nan
    half = torch.tensor(dof / 2, dtype=torch.float64)
    goal = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    low, high = torch.zeros_like(goal), torch.full_like(goal, 2 * dof + 1000.0)
    for _ in range(100):  # bisection, to the last bit
        middle = (low + high) / 2
        below = torch.special.gammainc(half, middle / 2) < goal
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    lower, upper = (temperature / dof * low).tolist()
    return lower, upper


class TemperatureSchedule:
    """Multiply the temperature of every group by a function of the number of steps, as LambdaLR does the lr.

    Args:
        optimizer: a :class:`Langevin`; the temperatures it has now are those that are multiplied.
        factor: the function, at least 0; :func:`cosine`, :func:`exponential`, :func:`logarithmic`,
            :func:`warm_restarts`, or any other.

    ``step`` after the optimizer's step. ``state_dict`` holds everything but the function. To go on with a run, make
    optimizer and schedule, and load their states in any order. A group that is added later has no temperature to
    multiply: make a new schedule after it, or append one to ``base_temperatures``.

    Together with a schedule of lr, the velocities are right where the optimizer rescales them (``rescale``); a change
    of the temperature reaches them through friction, in about :math:`1/\\gamma` steps.

    Raises:
        ValueError: (in making it and in ``step``) the function gives what no temperature can be, or a group has no
            temperature to multiply; (in ``load_state_dict``) the state is of another number of groups.
    """

    def __init__(self, optimizer: Langevin, factor: Callable[[int], float]) -> None:
        self.optimizer, self.factor = optimizer, factor
        self.base_temperatures = [float(group["temperature"]) for group in optimizer.param_groups]
        self.last_epoch = 0
        self._set()

    def step(self) -> None:
        """Set the temperatures of the next step."""
        self.last_epoch += 1
        try:
            self._set()
        except ValueError:
            self.last_epoch -= 1
            raise

    def _set(self) -> None:
        groups, bases = self.optimizer.param_groups, self.base_temperatures
        if len(groups) != len(bases):
            raise ValueError(
                f"group {len(bases)} has no base temperature: the optimizer has {len(groups)} groups, and had "
                f"{len(bases)} when the schedule was made. Make a new schedule, or append one to base_temperatures"
                if len(groups) > len(bases)
                else f"there are {len(bases)} base temperatures, but the optimizer has {len(groups)} groups"
            )
        factor = self.factor(self.last_epoch)
        if not (math.isfinite(factor) and factor >= 0):
            raise ValueError(f"factor({self.last_epoch}) must be finite and at least 0, got {factor}")
        for group, base in zip(groups, bases, strict=True):
            group["temperature"] = base * factor

    def get_last_temperature(self) -> list[float]:
        """Return the temperature of every group."""
        return [group["temperature"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps and the temperatures that are multiplied."""
        return {"last_epoch": self.last_epoch, "base_temperatures": list(self.base_temperatures)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned, and set the temperatures of that step."""
        bases, groups = list(state_dict["base_temperatures"]), self.optimizer.param_groups
        if len(bases) != len(groups):
            raise ValueError(
                f"the state has {len(bases)} base temperatures, but the optimizer has {len(groups)} groups"
            )
        self.last_epoch, self.base_temperatures = state_dict["last_epoch"], bases
        self._set()


def cosine(steps: int) -> Callable[[int], float]:
    r"""Fall as :math:`(1 + \cos(\pi n/N))/2` from 1 to 0 in N ``steps``, and stay."""
    return partial(_cosine, steps)


def exponential(decay: float) -> Callable[[int], float]:
    r"""Fall as :math:`c^n` with c the ``decay``."""
    return partial(pow, decay)


def logarithmic() -> Callable[[int], float]:
    r"""Fall as :math:`1/\log(e + n)`: slowly enough, from a high enough start, to find the minimum (Hajek 1988)."""
    return _logarithmic


def warm_restarts(steps: int, growth: int = 1) -> Callable[[int], float]:
    r"""Fall as :math:`(1 + \cos(\pi n/N))/2` again and again, N being ``steps`` and then ``growth`` times the last N.

    The rhythm of :class:`torch.optim.lr_scheduler.CosineAnnealingWarmRestarts` with T_0 and T_mult: with it the lr,
    and with this the temperature, start anew in the same step (cyclical sampling, Zhang et al. 2020).
    """
    if steps < 1 or growth < 1:
        raise ValueError(f"steps and growth must be at least 1, got {steps} and {growth}")
    return partial(_warm_restarts, steps, growth)


# Functions of the module and their partials, not lambdas, can be pickled.
def _cosine(steps: int, n: int) -> float:
    return (1 + math.cos(math.pi * min(n / steps, 1.0))) / 2


def _logarithmic(n: int) -> float:
    return 1 / math.log(math.e + n)


def _warm_restarts(steps: int, growth: int, n: int) -> float:
    if growth == 1:
        return _cosine(steps, n % steps)
    while n >= steps:
        n, steps = n - steps, steps * growth
    return _cosine(steps, n)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the sum of Re(a* b), in at least float32 and without a copy where that is possible."""
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    if a.dtype in (torch.float16, torch.bfloat16):
        a, b = a.float(), b.float()
    if a.is_contiguous() and b.is_contiguous():
        return torch.dot(a.view(-1), b.view(-1))
    return (a * b).sum()


def _sum(scalars: list[Tensor]) -> Tensor:
    """Add scalars of several devices and types on the first one's."""
    return (
        torch.stack([s.to(scalars[0].device, torch.float64) for s in scalars]).sum() if scalars else torch.tensor(0.0)
    )

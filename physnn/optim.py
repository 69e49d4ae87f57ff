"""The Langevin optimizer of the post: momentum with friction, and noise at a temperature."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer


class Langevin(Optimizer):
    r"""Underdamped Langevin dynamics, discretized as in the post.

    .. math::
        v \leftarrow (1 - \gamma)\,v - \alpha\,(g + \lambda\theta) + \sqrt{2\gamma\alpha T}\;\eta, \qquad
        \theta \leftarrow \theta + v, \qquad \eta \sim \mathcal N(0, 1)

    With exact gradients of a loss L and small steps it samples :math:`\exp(-L/T)`, where that has a finite
    integral: a loss that does not change when the weights are scaled needs weight decay. With a *mean* negative
    log-likelihood over N samples, the Bayesian posterior is T = 1/N. At T = 0 it is :class:`torch.optim.SGD`
    with the same lr and momentum :math:`1 - \gamma`, and :math:`v` is minus lr times its momentum buffer; at
    :math:`\gamma = 1` it is stochastic gradient Langevin dynamics,
    :math:`\theta \leftarrow \theta - \alpha g + \sqrt{2\alpha T}\,\eta`.

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
    ) -> None:
        self.check_finite = check_finite
        self.generators = {} if generator is None else {generator.device: generator}
        self.own_generators = generator is None
        options = {"lr": lr, "damping": damping, "temperature": temperature, "weight_decay": weight_decay}
        super().__init__(params, {**options, "maximize": maximize, "foreach": foreach})

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
        for group in self.param_groups:
            with_grad = [p for p in group["params"] if p.grad is not None]
            update = _single_tensor_langevin if group["foreach"] is False else _multi_tensor_langevin
            for (device, _), params in _by_device_and_dtype(with_grad).items():
                for p in params:
                    if "velocity" not in self.state[p]:
                        self.state[p]["velocity"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                # A complex number is two real degrees of freedom.
                real = [torch.view_as_real(p) if p.is_complex() else p for p in params]
                grads = [torch.view_as_real(p.grad) if p.is_complex() else p.grad for p in params]
                velocities = [self.state[p]["velocity"] for p in params]
                velocities = [torch.view_as_real(v) if v.is_complex() else v for v in velocities]
                noise = _noise(real, self.generators[device]) if group["temperature"] > 0 else None
                update(
                    real,
                    grads,
                    velocities,
                    noise,
                    lr=-group["lr"] if group["maximize"] else group["lr"],
                    damping=group["damping"],
                    noise_std=math.sqrt(2 * group["damping"] * group["lr"] * group["temperature"]),
                    weight_decay=-group["weight_decay"] if group["maximize"] else group["weight_decay"],
                )
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
        if self.check_finite and not math.isfinite(get_total_norm([p.grad for p in params], math.inf)):
            i, bad = next((i, p) for i, p in enumerate(params) if not p.grad.isfinite().all())
            raise FloatingPointError(
                f"the gradient of parameter {i} (shape {tuple(bad.shape)}) has "
                f"{int((~bad.grad.isfinite()).sum())} values that are not finite; nothing was updated. "
                "Lower lr, or look for a division by zero in the loss"
            )


def _single_tensor_langevin(params, grads, velocities, noise, *, lr, damping, noise_std, weight_decay) -> None:
    """Update one tensor after the other: the readable form."""
    for i, (theta, g, v) in enumerate(zip(params, grads, velocities, strict=True)):
        if weight_decay:
            g = g.add(theta, alpha=weight_decay)
        v.mul_(1 - damping).add_(g, alpha=-lr)
        if noise is not None:
            v.add_(noise[i], alpha=noise_std)
        theta.add_(v)


def _multi_tensor_langevin(params, grads, velocities, noise, *, lr, damping, noise_std, weight_decay) -> None:
    """Update all tensors of one device and type at once: the same numbers, fewer calls."""
    if weight_decay:
        grads = torch._foreach_add(grads, params, alpha=weight_decay)
    torch._foreach_mul_(velocities, 1 - damping)
    torch._foreach_add_(velocities, grads, alpha=-lr)
    if noise is not None:
        torch._foreach_add_(velocities, noise, alpha=noise_std)
    torch._foreach_add_(params, velocities)


def _noise(params: list[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Draw standard normal noise for every tensor in one call, so that both forms above see the same."""
    flat = torch.empty(sum(p.numel() for p in params), device=params[0].device, dtype=params[0].dtype)
    flat.normal_(generator=generator)
    return [part.view_as(p) for part, p in zip(flat.split([p.numel() for p in params]), params, strict=True)]


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

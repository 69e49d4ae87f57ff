"""Replicas of any module, trained together: ``torch.func.vmap`` over ``functional_call``, with autograd outside.

This is what a new kind of model is trained by; it needs no line of its own here. The stacked forms of
:mod:`physnn.lab.training.stack` are older, and stay where ``python -m benchmarks replicas`` shows what they save.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

PLAIN = (bool, int, float, str, tuple, Tensor, type(None))  # kinds of attributes that are compared


class Mover(Protocol):
    """What moves the parameters: :class:`physnn.lab.training.updates.Update`, say."""

    def step(self, grads: Sequence[Tensor]) -> None: ...

    def freeze(self, i: int) -> None: ...


class Engine:
    r"""R networks of one architecture, each with its own parameters, trained together without touching each other.

    A step needs one gradient for all, as a replica's loss depends on its own parameters alone:

    .. math::
        \frac{\partial}{\partial\theta_r} \sum_s L\bigl(f(x_s;\, \theta_s),\, y_s\bigr)
        = \frac{\partial}{\partial\theta_r} L\bigl(f(x_r;\, \theta_r),\, y_r\bigr)

    Args:
        modules: one for each replica. They differ in their parameters and buffers, and in nothing else. Buffers may
            change as they run (those of a BatchNorm do). A module that draws random numbers is refused: what it draws
            would depend on who is trained beside it.
        loss: a function of one network's outputs and targets that returns a scalar, of operations that vmap knows.
        update: makes what moves the parameters from the list of them, each of shape (R, ...). It has
            ``step(grads)``, and ``freeze(i)``, which puts a replica at rest, at zero.
        device: where they live.

    Attributes:
        params: the trained parameters, of shape (R, ...), in the order of ``module.parameters()``.
        start: the parameters before training.
        alive: whether each replica's loss and parameters have been finite so far.

    Raises:
        ValueError: the modules are none, or differ in more than the numbers they hold.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        update: Callable[[list[Tensor]], Mover],
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        _check_alike(modules)
        self.module, self.loss = copy.deepcopy(modules[0]).to(device), loss
        params, fixed = stack_module_state(modules)  # type: ignore[arg-type]
        state = {name: p.detach().to(device) for name, p in params.items()}
        self.trained = {name: p.requires_grad_() for name, p in state.items() if params[name].requires_grad}
        self.fixed = {name: p for name, p in state.items() if name not in self.trained}
        self.fixed |= {name: buffer.to(device) for name, buffer in fixed.items()}
        self.params = list(self.trained.values())
        self.start = [p.detach().clone() for p in self.params]
        self.alive = [True] * len(modules)
        self.update = update(self.params)

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (R, B, ...), or (1, B, ...) for all, to outputs of shape (R, B, ...).

        Raises:
            ValueError: the module draws random numbers.
        """
        one, x = self._shared(x)

        def call(trained: dict[str, Tensor], fixed: dict[str, Tensor], given: Tensor) -> Tensor:
            return functional_call(self.module, (trained, fixed), (given,))

        try:
            return vmap(call, (0, 0, one))(self.trained, self.fixed, x)
        except RuntimeError as error:
            if "randomness" not in str(error):
                raise
            raise ValueError(
                f"{type(self.module).__name__} draws random numbers (a Dropout does): they would depend on who is "
                "trained beside it. Draw them from the replica's seed, and hand them in with the input"
            ) from error

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return each replica's loss, of shape (R,), for targets (R, B, ...), or (1, B, ...) for all.

        Raises:
            ValueError: the loss is no scalar.
        """
        one, y = self._shared(y)
        values = vmap(self.loss, (0, one))(outputs, y)
        if values.shape != (len(self.alive),):
            raise ValueError(f"the loss must be a scalar, got one of shape {tuple(values.shape[1:])}; take its mean")
        return values

    def gradients(self, x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return losses of shape (R,), and each replica's own gradients, of the shapes of ``params``."""
        losses = self.losses(self.forward(x), y)
        return losses.detach(), list(torch.autograd.grad(losses.sum(), self.params, materialize_grads=True))

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """Take one step; return the losses before it, of shape (R,). One that is not finite freezes its replica."""
        losses, grads = self.gradients(x, y)
        if not math.isfinite(losses.sum().item()):
            self._freeze(losses)
        for i, alive in enumerate(self.alive):
            if not alive:
                for g in grads:
                    g[i] = 0
        self.update.step(grads)
        return losses

    @torch.no_grad()
    def outputs(self, x: Tensor) -> Tensor:
        """Map inputs as :meth:`forward` does, to be looked at: without gradients, and as in evaluation."""
        mode = self.module.training
        try:
            self.module.eval()
            return self.forward(x)
        finally:
            self.module.train(mode)

    def settle(self) -> None:
        """Freeze the replicas whose parameters are not finite: after an epoch, before anything is measured."""
        self._freeze(sum(p.detach().reshape(len(p), -1).sum(1) for p in self.params))

    def lengths(self) -> dict[str, Tensor]:
        """Return the norm of each replica's parameters, and their distance from the start, of shape (R,)."""
        return lengths(self.params, self.start)

    def _shared(self, data: Tensor) -> tuple[int | None, Tensor]:
        """Return the axis of the replicas, and the data: of those for all, as they are without it."""
        if len(data) not in (1, len(self.alive)):
            raise ValueError(
                f"data must have a first axis of the {len(self.alive)} replicas, or of 1 for all, "
                f"got shape {tuple(data.shape)}"
            )
        return (None, data[0]) if len(data) == 1 else (0, data)

    def _freeze(self, values: Tensor) -> None:
        """Put the replicas whose values are not finite at rest, at zero, where they disturb no one."""
        for i in (~values.isfinite()).nonzero().flatten().tolist():
            self.alive[i] = False
            self.update.freeze(i)
            for tensor in self.fixed.values():
                tensor[i] = 0


@torch.no_grad()
def lengths(params: Sequence[Tensor], start: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the ``norm`` of each replica's parameters, and their ``distance`` from the start, of shape (R,)."""
    apart = [p - first for p, first in zip(params, start, strict=True)]
    return {"norm": _length(params), "distance": _length(apart)}


def _length(params: Sequence[Tensor]) -> Tensor:
    return sum(p.square().reshape(len(p), -1).sum(1) for p in params).sqrt()


def _check_alike(modules: Sequence[nn.Module]) -> None:
    """Raise if modules differ in anything but the numbers of their parameters and buffers."""
    if not modules:
        raise ValueError("there is nothing to train: give at least one module")
    first = _settings(modules[0])
    for i, module in enumerate(modules[1:], 1):
        other = _settings(module)
        for name in [*first, *(name for name in other if name not in first)]:
            one, two = first.get(name, "absent"), other.get(name, "absent")
            if not _equal(one, two):
                raise ValueError(
                    f"replicas must differ in their parameters and buffers alone, but {name} is {one} in the first "
                    f"and {two} in that of index {i}; train them apart, or make it a buffer"
                )


def _settings(module: nn.Module) -> dict[str, Any]:
    """Return what functional_call does not replace in a module: kinds, shapes, and plain attributes."""
    found: dict[str, Any] = {}
    for path, part in module.named_modules():
        found[f"the class of {path or 'the module'}"] = type(part)
        attributes = {name: value for name, value in vars(part).items() if not name.startswith("_")}
        found |= {f"{path}.{name}".lstrip("."): v for name, v in attributes.items() if isinstance(v, PLAIN)}
    numbers = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    found |= {f"the shape of {name}": tuple(tensor.shape) for name, tensor in numbers.items()}
    return found | {f"{name}.requires_grad": p.requires_grad for name, p in module.named_parameters()}


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return torch.equal(one, two)
    return type(one) is type(two) and (one == two or (one != one and two != two))

"""A network whose weights are standard normal before it has seen data: the prior of the bounds is its start."""

import copy
import math
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.func import functional_call

OTHERS = 0.1  # standard deviation of the numbers that no initialization draws: a layer's beta and t


class Standard(nn.Module):
    r"""A network by standardized weights z, :math:`w = w_0 + s z`, whose prior is :math:`\mathcal N(0, I)`.

    Matrices have :math:`w_0 = 0` and the spread of Xavier's normal start, :math:`s^2 = 2/(n + m)` (Glorot & Bengio
    2010), which is that of the post's layer; any other number its start value, and a spread of 0.1.

    Args:
        network: gives the form, and the start values of what is no matrix.
        spread: what all s are multiplied by, above 0.

    Attributes:
        spread: what all s have been multiplied by.
        z0, z1, ...: z, in the order of ``network.parameters()``, drawn from the prior by torch's global generator.
    """

    def __init__(self, network: nn.Module, spread: float = 1.0) -> None:
        super().__init__()
        self.spread = spread
        self._network = [network]  # in a list, as its own parameters are no part of this module
        self.names = tuple(name for name, _ in network.named_parameters())
        for i, start in enumerate(network.parameters()):
            matrix = start.dim() > 1
            scale = math.sqrt(2 / sum(start.shape)) if matrix else OTHERS
            self.register_parameter(f"z{i}", nn.Parameter(torch.randn_like(start)))
            self.register_buffer(f"centre{i}", torch.zeros_like(start) if matrix else start.detach().clone())
            self.register_buffer(f"scale{i}", torch.full_like(start, spread * scale))

    def weights(self) -> Mapping[str, Tensor]:
        """Return the network's own parameters, by name."""
        parts = ([getattr(self, f"{kind}{i}") for kind in ("centre", "scale", "z")] for i in range(len(self.names)))
        return {name: torch.addcmul(*three) for name, three in zip(self.names, parts, strict=True)}

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (B, ...) to outputs of shape (B, C)."""
        return functional_call(self._network[0], dict(self.weights()), (x,))

    @torch.no_grad()
    def around(self, spread: float, generator: torch.Generator) -> Self:
        """Move the prior: put its centre where the weights are, scale it by ``spread``, and draw z from it."""
        self.spread *= spread
        for i, weight in enumerate(self.weights().values()):
            getattr(self, f"centre{i}").copy_(weight)
            getattr(self, f"scale{i}").mul_(spread)
            z = getattr(self, f"z{i}")
            z.copy_(torch.randn(z.shape, generator=generator))
        return self

    @torch.no_grad()
    def centred(self) -> Self:
        """Return a copy whose weights are the centre of the prior."""
        other = copy.deepcopy(self)
        for p in other.parameters():
            p.zero_()
        return other

"""A diffusion model on the same dissolving pictures: a network in the place of the machine's force."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn.lab.models.network import seeded
from physnn.lab.physics.noising import Fade


class Denoiser(nn.Module):
    r"""A network with one hidden layer that guesses the picture from a state, and what a state is pulled to by that.

    .. math::
        x_{k-1} = x_k - dt\,(x_k - c_k\,s\,f(x_k/s, k)) + \sqrt{2\,dt}\;\eta

    with the amplitude s of the pictures. Without a clock, f knows no k and guesses :math:`c_k\,p`, so that it is as
    constant in time as a machine. Its number of parameters is (n + clock + 1) h + (h + 1) n for h hidden units.

    Args:
        pixels: n.
        hidden: h.
        clock: whether it is told the time.
    """

    def __init__(self, pixels: int, hidden: int, *, clock: bool) -> None:
        super().__init__()
        self.clock = clock
        self.inner, self.outer = nn.Linear(pixels + clock, hidden), nn.Linear(hidden, pixels)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Guess from states (B, n) over the amplitude, and times (B, 1) from 0 to 1: shape (B, n)."""
        given = torch.cat([x, 2 * time - 1], 1) if self.clock else x
        return self.outer(F.silu(self.inner(given)))

    @torch.no_grad()
    def walk(
        self, fade: Fade, amplitude: float, x: Tensor, generator: torch.Generator, *, bounded: bool = False
    ) -> Tensor:
        """Go back from noise (n, N); return the pictures that it guesses at the end, of shape (n, N).

        Beyond the states that it was trained on a guess can grow with the state, and then a few states run away.
        ``bounded`` cuts each guess to what there is to guess: pictures from -1 to 1, of a network without a clock by
        the largest lead as far.
        """
        guess, leads = x, fade.leads.tolist() if self.clock else [1.0] * fade.steps
        bound = (1.0 if self.clock else float(fade.leads.max())) if bounded else torch.inf
        for k in range(fade.steps, 0, -1):
            guess = self(x / amplitude, torch.full((len(x), 1), k / fade.steps)).clamp(-bound, bound)
            x = x - fade.dt * (x - leads[k - 1] * amplitude * guess)
            if k > 1:
                x = x + (2 * fade.dt) ** 0.5 * torch.randn(x.shape, generator=generator)
        return guess


def train(
    pictures: Tensor,
    fade: Fade,
    amplitude: float,
    hidden: int,
    *,
    clock: bool,
    lr: float,
    steps: int,
    batch_size: int,
    seed: int,
) -> Denoiser:
    """Train a denoiser on pictures (n, N) by AdamW, its rate on a cosine to 0; times and heat are drawn anew."""
    network, _ = seeded(lambda: Denoiser(pictures.shape[1], hidden, clock=clock), seed)
    assert isinstance(network, Denoiser)
    generator = torch.Generator().manual_seed(seed)
    means, leads = fade.means[1:].float(), fade.leads.float()
    optimizer = torch.optim.AdamW(network.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        p = pictures[torch.randint(len(pictures), (batch_size,), generator=generator)]
        k = torch.randint(fade.steps, (batch_size, 1), generator=generator)
        x = means[k] * p + fade.variance**0.5 / amplitude * torch.randn(p.shape, generator=generator)
        wanted = p if clock else leads[k] * p
        optimizer.zero_grad()
        F.mse_loss(network(x, (k + 1) / fade.steps), wanted).backward()
        optimizer.step()
        schedule.step()
    return network

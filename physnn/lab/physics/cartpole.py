r"""A pole on a cart, as gymnasium's ``CartPole-v1`` has it, for any number of carts at once.

.. math::
    c = \frac{F + m\,l\,\dot\vartheta^2 \sin\vartheta}{M}, \qquad
    \ddot\vartheta = \frac{g \sin\vartheta - c \cos\vartheta}{l\,(4/3 - m \cos^2\vartheta / M)}, \qquad
    \ddot x = c - \frac{m\,l\,\ddot\vartheta \cos\vartheta}{M}

with Euler's steps of 0.02 s, a force F of 10 N to the left or to the right, a pole of mass m = 0.1 and half length
l = 0.5, and M = 1.1, all masses together. The cart is that of Barto, Sutton & Anderson (1983). A test holds each step
against gymnasium.
"""

import math

import torch
from torch import Tensor

GRAVITY, TOTAL, POLE, HALF, FORCE, STEP = 9.8, 1.1, 0.1, 0.5, 10.0, 0.02
EDGE, ANGLE = 2.4, 12 * 2 * math.pi / 360  # beyond which an episode ends
LONGEST = 500  # steps of an episode
AROUND = 0.05  # half width of the box that the four numbers of a start are drawn from


def start(generator: torch.Generator, count: int) -> Tensor:
    """Draw starts of shape (count, 4): place, speed, angle and angular speed, each between -0.05 and 0.05."""
    return AROUND * (2 * torch.rand(count, 4, generator=generator, dtype=torch.float64) - 1)


def step(state: Tensor, right: Tensor) -> Tensor:
    """Return the states of shape (..., 4) a fiftieth of a second later.

    Args:
        state: place, speed, angle and angular speed, in double precision.
        right: whether the force is to the right, of shape (...).
    """
    x, speed, angle, turning = state.unbind(-1)
    sine, cosine = angle.sin(), angle.cos()
    force = torch.where(right, FORCE, -FORCE).to(state.dtype)
    common = (force + POLE * HALF * turning.square() * sine) / TOTAL
    lean = (GRAVITY * sine - cosine * common) / (HALF * (4 / 3 - POLE * cosine.square() / TOTAL))
    push = common - POLE * HALF * lean * cosine / TOTAL
    return torch.stack([x + STEP * speed, speed + STEP * push, angle + STEP * turning, turning + STEP * lean], -1)


def fallen(state: Tensor) -> Tensor:
    """Tell of states of shape (..., 4) whether the episode is over: the cart is too far off, or the pole leans."""
    return (state[..., 0].abs() > EDGE) | (state[..., 2].abs() > ANGLE)

r"""Training a machine: the one by which the reverse of dissolving paths is the most probable, in closed form.

.. math::
    -\ln \tilde P_\theta = \sum_k \frac{|x_{k-1} - x_k + \nabla V_\theta(x_k)\,dt|^2}{4\,dt} + \text{const}

is a square of what is linear in :math:`J_2, b` and J, so that the best machine is a regression: of the gradient that
is wanted, :math:`y_k = (x_k - x_{k-1})/dt`, on the states. With :math:`A = J + 2\operatorname{diag} J_2`, symmetric,
and covariances over states and steps,

.. math::
    A\,\Sigma + \Sigma\,A = C + C^{\mathsf T}, \qquad \Sigma = \operatorname{cov}(x, x), \qquad
    C = \operatorname{cov}(y - 4 J_4\,x^3,\ x)

and b makes the means agree. The constant :math:`J_4` is not fitted: it is what the units are made of. Source: the
objective is Whitelam's (2025), who descends it step by step, with :math:`J_2` and :math:`J_4` given.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from physnn.lab.physics.machine import Machine
from physnn.lab.physics.noising import Fade


@dataclass(frozen=True)
class Moments:
    r"""What a regression needs to know of states x and the gradients y that are wanted there.

    Attributes:
        state: mean of x, of shape (N,).
        cube: mean of :math:`x^3`, likewise.
        wanted: mean of y, likewise.
        states: mean of :math:`x x^{\mathsf T}`, of shape (N, N).
        cubes: mean of :math:`x^3 x^{\mathsf T}`, likewise.
        pulls: mean of :math:`y x^{\mathsf T}`, likewise.
    """

    state: Tensor
    cube: Tensor
    wanted: Tensor
    states: Tensor
    cubes: Tensor
    pulls: Tensor


@dataclass(frozen=True)
class Pictures:
    r"""What a regression needs to know of pictures p, of shape (n, N): means over them, in double precision.

    Attributes:
        first: mean of p, of shape (N,).
        third: mean of :math:`p^3`, likewise.
        fourth: mean of :math:`p^4`, likewise.
        second: mean of :math:`p p^{\mathsf T}`, of shape (N, N).
        cubes: mean of :math:`p^3 p^{\mathsf T}`, likewise.
    """

    first: Tensor
    third: Tensor
    fourth: Tensor
    second: Tensor
    cubes: Tensor

    @classmethod
    def of(cls, pictures: Tensor) -> "Pictures":
        """Take the means over pictures of shape (n, N)."""
        p = pictures.double()
        cube, n = p**3, len(p)
        return cls(p.mean(0), cube.mean(0), (p**4).mean(0), p.T @ p / n, cube.T @ p / n)

    def faded(self, fade: Fade, steps: slice = slice(None)) -> Moments:
        r"""Return the moments over heat and steps of a fade, exactly: no path is drawn.

        At a step x is normal about m p with variance v, and y is :math:`x - c\,p`, its mean where the picture is known.

        Args:
            fade: how the pictures dissolve.
            steps: over which of the K steps; all, unless a machine is for a part of them.
        """
        m, c, v = fade.means[1:][steps], fade.leads[steps], fade.variance
        one, two, three, four = ((m**power).mean().item() for power in range(1, 5))
        ahead, lead = (m * c).mean().item(), c.mean().item()
        states = two * self.second + v * torch.eye(len(self.first), dtype=torch.float64)
        cubes = four * self.cubes + 3 * v * two * self.second
        square = self.second.diagonal()
        cubes.diagonal().copy_(four * self.fourth + 6 * v * two * square + 3 * v**2)
        return Moments(
            state=one * self.first,
            cube=three * self.third + 3 * v * one * self.first,
            wanted=(one - lead) * self.first,
            states=states,
            cubes=cubes,
            pulls=states - ahead * self.second,
        )


def of_paths(paths: Tensor, dt: float) -> Moments:
    """Return the moments of paths that have been seen, (K + 1, n, N), pictures first: with all their noise."""
    x = paths[1:].reshape(-1, paths.shape[-1]).double()
    y = (paths[1:] - paths[:-1]).reshape(x.shape).double() / dt
    cube, n = x**3, len(x)
    return Moments(x.mean(0), cube.mean(0), y.mean(0), x.T @ x / n, cube.T @ x / n, y.T @ x / n)


def fit(moments: Moments, quartic: float) -> Machine:
    """Return the machine by which the reverse of the paths is the most probable, of those with this quartic.

    Raises:
        ValueError: the quartic is below 0, or states span less than N dimensions, and say too little.
    """
    from scipy.linalg import solve_continuous_lyapunov

    if not quartic >= 0:
        raise ValueError(f"quartic must be at least 0, got {quartic}")
    mean = moments.state
    spread = moments.states - torch.outer(mean, mean)
    least, *_, most = torch.linalg.eigvalsh(spread).tolist()
    if not least > 1e-10 * most:
        raise ValueError("states lie in fewer dimensions than there are units, and no machine is the best")
    wanted = moments.wanted - 4 * quartic * moments.cube
    pulls = moments.pulls - 4 * quartic * moments.cubes - torch.outer(wanted, mean)
    found = torch.from_numpy(solve_continuous_lyapunov(spread.numpy(), (pulls + pulls.T).numpy()))
    ties = (found + found.T) / 2
    return Machine(ties.diagonal() / 2, quartic, wanted - ties @ mean, ties - torch.diag(ties.diagonal()))

"""The post's code and formulas, transcribed letter for letter: the reference that the package is tested against.

``ExperimentalLayer`` is the post's snippet, unchanged but for ``dtype=torch.float``, which becomes a class attribute:
as printed, a float64 model computes its positions in float32.
"""

import torch
import torch.nn as nn


class ExperimentalLayer(nn.Module):
    dtype = torch.float

    def __init__(self, input_size, output_size, beta_init, alpha=0.0035, gamma=5.0):
        super(ExperimentalLayer, self).__init__()  # noqa: UP008
        self.w = nn.Parameter(torch.randn(output_size, input_size))
        nn.init.xavier_normal_(self.w)
        self.beta = nn.Parameter(torch.tensor(beta_init).float())
        self.alpha = alpha
        self.gamma = gamma
        self.t = nn.Parameter(torch.tensor([1.0]))

    def forward(self, x):
        t_dynamic = self.t * torch.sigmoid(torch.mean(x, dim=-1)).unsqueeze(-1)
        w2 = self.w * (torch.arange(x.size(-1), dtype=self.dtype, device=x.device) * torch.cosh(5 * self.beta) + t_dynamic * torch.sinh(5 * self.beta)).unsqueeze(1)  # noqa: E501  # fmt: skip
        phi = torch.matmul(w2, x.unsqueeze(-1)).squeeze(-1)
        return phi


class ExperimentalLayer64(ExperimentalLayer):
    dtype = torch.double


def loss(phi, target, alpha=0.0035, gamma=5.0):
    """| mean( alpha d^2 - gamma d^4 + 0.5 (d phi/dx)^2 ) |, sample by sample and index by index, indices modulo C."""
    batch, classes = phi.shape
    phi_norm = phi / torch.max(torch.abs(phi))
    target_one_hot = torch.zeros_like(phi)
    for b in range(batch):
        target_one_hot[b, target[b]] = 1
    target_norm = target_one_hot / torch.max(torch.abs(target_one_hot))
    total = 0
    for b in range(batch):
        for i in range(classes):
            d = phi_norm[b, i] - target_norm[b, i]
            dphi = (phi_norm[b, (i + 1) % classes] - phi_norm[b, i - 1]) / 2
            total = total + alpha * d**2 - gamma * d**4 + 0.5 * dphi**2
    return torch.abs(total / (batch * classes))


def langevin(theta, v, gradient, alpha, gamma, temperature, eta):
    """Both lines of the "Full Update Equation"; returns the new theta and v."""
    v = (1 - gamma) * v - alpha * gradient + (2 * gamma * alpha * temperature) ** 0.5 * eta
    return theta + v, v

"""A classifier of small pictures that looks at pictures which were made: what it sees in them, and which digit."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn.lab.data.small import PIXELS, small
from physnn.lab.models.network import seeded

SEEN = 20_000  # training pictures at most
FEATURES = 16
EPOCHS, BATCH, RATE, DECAY, SEED = 10, 128, 3.0e-3, 0.01, 0


class Onlooker(nn.Module):
    """64 pixels, 64 and 16 rectifiers, 10 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(PIXELS, 64), nn.ReLU(), nn.Linear(64, FEATURES), nn.ReLU())
        self.outer = nn.Linear(FEATURES, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (B, 64) to scores (B, 10)."""
        return self.outer(self.inner(pictures))

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """Return what it sees in pictures (n, 64), of shape (n, 16): the layer before the scores."""
        return self.inner(pictures)

    @torch.no_grad()
    def classes(self, pictures: Tensor) -> Tensor:
        """Return the digits that it takes pictures (n, 64) for, of shape (n,)."""
        return self(pictures).argmax(1)


@cache
def onlooker(name: str, levels: str) -> Onlooker:
    """Return the classifier for data of a name and number of levels: always the same, from a seed of its own."""
    pictures, labels = (part[:SEEN] for part in small(name, "train", levels))
    network, _ = seeded(Onlooker, SEED)
    assert isinstance(network, Onlooker)
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(labels), generator=generator).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(network(pictures[index]), labels[index]).backward()
            optimizer.step()
    return network.eval()

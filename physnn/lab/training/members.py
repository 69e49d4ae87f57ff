"""Networks that answer together: replicas of several members each, what they are shown, and what they say of images."""

import math
from collections.abc import Mapping, Sequence
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from physnn import log_predictive
from physnn.lab.data.corruptions import FAMILIES, SEVERITIES, corrupt
from physnn.lab.data.graphs import principal
from physnn.lab.data.images import load
from physnn.lab.data.problems import balanced
from physnn.lab.models import laplace
from physnn.lab.models.bayes import SAMPLED, Recipe
from physnn.lab.models.network import seeded
from physnn.lab.training.chance import Chance
from physnn.lab.training.engine import Engine
from physnn.lab.training.hmc import Hamiltonian
from physnn.lab.training.updates import Update

STREAM, ORDER, CORRUPTION = 0xBA7, 0x0DE5, 20_261  # members' seeds; which images are trained on; what corrupts them
WATCHED, DAMAGED = 2000, 1000  # validation images; test images that are corrupted, once by each family and severity
TRACKED = 50  # validation images whose label's probability is kept of every draw
SPREAD = 50  # draws of a Laplace approximation
PIECE = 2000  # images that are evaluated at a time


class Members:
    """R replicas of one architecture, of M networks each, in the order (replica, member).

    Args:
        recipes: one for each replica, all of one architecture.
        lrs: their learning rates.
        seeds: of their images, starts, batches and noise.
        data: the name of a data set.
        batch: the size of minibatches.
        epochs: how many epochs there will be.
        looked: what is answered: ``"validation"``, ``"test"``, ``"corrupted 1"``, …

    Attributes:
        passed: passes over the images so far, of each member; ``draws`` is how many draws each has given.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        lrs: Sequence[float],
        seeds: Sequence[int],
        data: str,
        batch: int,
        epochs: int,
        looked: Sequence[str] = ("validation",),
    ) -> None:
        self.recipe, self.count, self.passed, self.draws = recipes[0], recipes[0].members, 0, 0
        self.data, self.looked, self.batch = data, looked, self.recipe.images if self.recipe.whole else batch
        own = [recipe for recipe in recipes for _ in range(self.count)]
        each = [number for seed in seeds for number in member_seeds(seed, self.count)]
        rates = [lr for lr in lrs for _ in range(self.count)]
        train, labels = points(data, self.recipe.components, "train")
        places = [trained_on(data, self.recipe.images, 0 if self.recipe.fixed else seed) for seed in seeds]
        index = torch.stack(places[:1] if self.recipe.fixed else places)
        index = index if self.recipe.fixed else index.repeat_interleave(self.count, 0)
        self.x, self.y = train[index], labels[index]
        classes, size = int(labels.max()) + 1, train.shape[1]
        networks, self.noise = zip(
            *(seeded(partial(r.make, size, classes), seed) for r, seed in zip(own, each, strict=True)), strict=True
        )
        self.order = Chance([seed ^ ORDER for seed in each])
        self.burn = self.recipe.burn * self.recipe.each * epochs
        self.hmc: Hamiltonian | None = None
        if self.recipe.kind == "hmc":
            self.engine = Engine(networks, F.cross_entropy, _Still)
            self.widths = torch.tensor([r.width for r in own])
            self.hmc = Hamiltonian(self.engine.params, self._energy, rates, self.recipe.leaps, self.noise)
        else:
            steps = self.recipe.each * epochs * -(-self.recipe.images // self.batch)
            self.engine = Engine(networks, F.cross_entropy, partial(Update, own, rates, self.noise, steps=steps))
        self.recipes, self.rates = recipes, torch.tensor(rates)
        self.mean: list[Tensor] | None = None
        self.logs: dict[str, Tensor] = {}
        self.tracks: list[Tensor] = []

    @property
    def alive(self) -> list[bool]:
        """Whether all members of each replica are."""
        flags = self.engine.alive
        return [all(flags[i : i + self.count]) for i in range(0, len(flags), self.count)]

    def epoch(self) -> Tensor:
        """Take an epoch's passes; return each replica's training loss, the mean over steps and members, (R,)."""
        losses = []
        if self.hmc is not None:
            for _ in range(self.recipe.each // self.recipe.leaps):
                self.hmc.propose()
                self.passed += self.recipe.leaps
                losses.append(self._loss())
                self._keep(self.passed > self.burn)
        else:
            for _ in range(self.recipe.each):
                losses += [self.engine.step(*batch).double() for batch in self.batches()]
                self.passed += 1
                self._keep(self.passed > self.burn and (self.passed - math.floor(self.burn)) % self.recipe.thin == 0)
        self.engine.settle()
        return self.by_replica(torch.stack(losses).mean(0))

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """Return a pass's batches for each network, (RM, B, ...) and (RM, B), or of 1 for all."""
        if self.recipe.whole:
            return [(self.x, self.y)]
        found = []
        for index in self.order.batches(self.recipe.images, self.batch):
            index = self.order.share(index).expand(len(self.engine.alive), -1)
            several = torch.arange(len(index)).unsqueeze(1) if len(self.x) > 1 else 0
            found.append((self.x[several, index], self.y[several, index]))
        return found

    def by_replica(self, values: Tensor) -> Tensor:
        """Return means over the members, (R,), of values of all networks, (RM,)."""
        return values.view(-1, self.count).mean(1)

    def answers(self, name: str) -> Tensor:
        """Return what each replica says of some images, (R, n, C): logarithms of probabilities."""
        if self.draws:
            return self.logs[name] - math.log(self.draws * self.count)
        x = points(self.data, self.recipe.components, name)[0]
        if self.recipe.kind == "laplace" and self.passed:
            return log_predictive(self._together(torch.stack(self._around(x))).flatten(1, 2), 1)
        if self.mean is None:
            return log_predictive(self._together(self._outputs(x)), 1)
        with torch.no_grad():
            now = [p.clone() for p in self.engine.params]
            for p, mean in zip(self.engine.params, self.mean, strict=True):
                p.copy_(mean)
            said = log_predictive(self._together(self._outputs(x)), 1)
            for p, own in zip(self.engine.params, now, strict=True):
                p.copy_(own)
        return said

    def _keep(self, due: bool) -> None:
        """After a pass, take what belongs to it: a draw, or the weights for their average."""
        if self.recipe.kind == "average" and self.passed > self.burn:
            share = 1 / (self.passed - math.floor(self.burn))
            now = [p.detach() for p in self.engine.params]
            self.mean = [m.lerp(p, share) for m, p in zip(self.mean or now, now, strict=True)]
        if self.recipe.kind not in SAMPLED or not due:
            return
        self.draws += 1
        for name in self.looked:
            x, labels = points(self.data, self.recipe.components, name)
            said = self._together(self._outputs(x).log_softmax(-1))
            more = said.logsumexp(1)
            self.logs[name] = torch.logaddexp(self.logs[name], more) if name in self.logs else more
            if name == "validation":
                index = labels[:TRACKED].view(1, 1, -1, 1).expand(*said.shape[:2], -1, 1)
                self.tracks.append(said[:, :, :TRACKED].gather(-1, index).squeeze(-1))

    def _outputs(self, x: Tensor) -> Tensor:
        return torch.cat([self.engine.outputs(part.unsqueeze(0)) for part in x.split(PIECE)], 1)

    def _together(self, several: Tensor) -> Tensor:
        """View what is of all networks, (RM, ...), as (R, M, ...)."""
        return several.unflatten(0, (-1, self.count))

    def _energy(self) -> tuple[Tensor, list[Tensor]]:
        """Return the negative log posterior of each network, (RM,), and its gradients."""
        losses, slopes = self.engine.gradients(self.x, self.y)
        params, n = [p.detach() for p in self.engine.params], self.recipe.images
        pull = 1 / self.widths**2
        squares = sum(p.square().reshape(len(p), -1).sum(1) for p in params)
        bound = [n * g + p * pull.view(-1, *(1 for _ in p.shape[1:])) for g, p in zip(slopes, params, strict=True)]
        return n * losses + pull * squares / 2, bound

    @torch.no_grad()
    def _loss(self) -> Tensor:
        return self.engine.losses(self.engine.forward(self.x), self.y).double()

    @torch.no_grad()
    def _around(self, x: Tensor) -> list[Tensor]:
        """Return outputs of draws of the last layer around where it is, (SPREAD, n, C) for each network."""
        found = []
        for i in range(len(self.engine.alive)):
            own = {name: p[i].detach() for name, p in self.engine.trained.items()}
            *_, weight, bias = own.values()
            body = {name: p for name, p in own.items() if p is not weight and p is not bias}
            optimum = torch.cat([weight, bias.unsqueeze(1)], 1)
            given = self.x[i if len(self.x) > 1 else 0]
            features, new = (_features(self.engine.module[:-1], body, part) for part in (given, x))
            width = self.recipes[i // self.count].width
            peaked = laplace.precision(features, features @ optimum.T, width)
            chance = torch.Generator().manual_seed(self.noise[i].initial_seed())  # the same for all images
            found.append(new @ laplace.draw(optimum, peaked, SPREAD, chance).mT)
        return found


class _Still:
    """Moves nothing: a Hamiltonian does."""

    def __init__(self, params: list[Tensor]) -> None:
        pass

    def step(self, grads: Sequence[Tensor]) -> None:
        raise NotImplementedError("a Hamiltonian moves these parameters")

    def freeze(self, i: int) -> None:
        """Do nothing: what is not finite is never accepted."""


def _features(body: torch.nn.Sequential, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return what the last layer multiplies, with a column of ones for its bias, (n, F + 1)."""
    h = functional_call(body, dict(params), (x,)) if params else x
    return torch.cat([h / math.sqrt(h.shape[1]), torch.ones_like(h[:, :1])], 1)


def member_seeds(seed: int, count: int) -> list[int]:
    """Return the seeds of a replica's members."""
    generator = torch.Generator().manual_seed(seed ^ STREAM)
    return [int(torch.randint(2**31, (), generator=generator)) for _ in range(count)]


@cache
def trained_on(data: str, images: int, seed: int) -> Tensor:
    """Return which training images a seed has, equally many of each class."""
    return balanced(load(data).train.labels, images, torch.Generator().manual_seed(seed ^ ORDER))


@cache
def points(data: str, components: int, name: str) -> tuple[Tensor, Tensor]:
    """Return the inputs of a split, (n, d), and their labels; of ``corrupted S`` one family after the other.

    The components are those of all training images.
    """
    images = _load(data)
    if name.startswith("corrupted"):
        severity, clean = int(name.split()[1]), images.as_input(images.test.images[:DAMAGED])
        pixels = torch.cat([corrupt(clean, family, severity, seed=CORRUPTION) for family in FAMILIES])
        labels = images.test.labels[:DAMAGED].repeat(len(FAMILIES))
    else:
        split, count = getattr(images, name), WATCHED if name == "validation" else None
        pixels, labels = images.as_input(split.images[:count]), split.labels[:count]
    if not components:
        return pixels.flatten(1), labels
    fitted = images.as_input(images.train.images).flatten(1)
    return principal(pixels.flatten(1), components, fitted=fitted), labels


CORRUPTED = tuple(f"corrupted {severity}" for severity in SEVERITIES)
_load = cache(load)

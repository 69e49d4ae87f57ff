"""What is measured on a stack of networks: after every epoch, and at the end on the test images."""

import math
from collections.abc import Collection
from functools import cache
from itertools import product

import torch
from torch import Tensor

from physnn.field import difference, normalize
from physnn.lab.data.corruptions import FAMILIES, SEVERITIES, corrupt
from physnn.lab.data.images import Dataset, Split
from physnn.lab.metrics.answers import pack
from physnn.lab.metrics.fields import dirichlet, moran
from physnn.lab.metrics.outputs import accuracy, ece, fit_scale, nll
from physnn.lab.training.stack import EVALUATED, Stack

EXTRAS = ("answers", "corruptions", "coherence", "corrupted-validation")
OF_OUTPUTS = {"accuracy": accuracy, "nll": nll, "ece": ece}
CORRUPTION_SEED = 0
SALIENT = 1000  # test images whose saliency is looked at
WATCHED = 2000  # validation images that are corrupted after every epoch


def after_epoch(stack: Stack, images: Dataset, extras: Collection[str] = ()) -> dict[str, Tensor]:
    """Return ``validation_accuracy``, ``validation_nll``, ``validation_ece``, ``norm`` and ``distance``, (R,) each.

    With the extra ``corrupted-validation`` also ``validation_corrupted``.
    """
    outputs, labels = stack.outputs(images, images.validation), images.validation.labels
    values = {f"validation_{name}": of(outputs, labels) for name, of in OF_OUTPUTS.items()} | stack.lengths()
    if "corrupted-validation" in extras:
        errors = _corruption_errors(stack, images, "validation", WATCHED)
        values["validation_corrupted"] = torch.stack(list(errors.values())).mean(0)
    return values


def at_end(stack: Stack, images: Dataset, test: bool, extras: Collection[str] = ()) -> dict[str, Tensor | list[str]]:
    """Return ``scale`` and, with ``test``, what is measured of training and test images, with the extras, (R,) each.

    The extra ``answers`` gives ``test_right``, a text for each replica (:mod:`physnn.lab.metrics.answers`).
    """
    scale = fit_scale(stack.outputs(images, images.validation), images.validation.labels)
    values: dict[str, Tensor | list[str]] = {"scale": scale}
    if not test:
        return values
    outputs, labels = stack.outputs(images, images.train), images.train.labels
    values |= {f"train_{name}": OF_OUTPUTS[name](outputs, labels) for name in ("accuracy", "nll")}
    outputs, labels = stack.outputs(images, images.test), images.test.labels
    scaled = scale[:, None, None] * outputs
    values |= {f"test_{name}": of(scaled, labels) for name, of in OF_OUTPUTS.items()}
    values["test_roughness"] = dirichlet(outputs, 1).nanmean(-1)
    u = normalize(outputs.flatten(0, 1), "sample").view_as(outputs)
    values["test_spatial"] = difference(u, 2, "periodic").square().mean((1, 2))
    if "answers" in extras:
        values["test_right"] = [pack(right.numpy()) for right in (outputs.argmax(-1) == labels).cpu()]
    if "corruptions" in extras:
        values |= _corruption_errors(stack, images, "test")
    if "coherence" in extras:
        values |= coherence(stack, images)
    return values


def coherence(stack: Stack, images: Dataset) -> dict[str, Tensor]:
    """Return Moran's I and the Dirichlet energy of the weights that see the image, and of the saliency, (R,) each.

    ``weights_moran`` and ``weights_dirichlet`` are means over the first layer's units, of their gradients with respect
    to the mean image: the weights, as they act; of a layer of convolutions they are means over its outputs.
    ``saliency_moran`` and ``saliency_dirichlet`` are means over test images, of the gradients of the label's output.
    """
    side = math.isqrt(images.pixels)
    mean = images.train.images.float().mean(0).div_(images.levels).flatten()
    fields = {"weights": _gradients(stack, mean), "saliency": _saliency(stack, images)}
    return {
        f"{name}_{measure}": of(field.unflatten(-1, (side, side))).nanmean(-1)
        for name, field in fields.items()
        for measure, of in {"moran": moran, "dirichlet": dirichlet}.items()
    }


def _gradients(stack: Stack, image: Tensor) -> Tensor:
    """Return the gradient of each output of the first layer, of shape (R, m, n), by one copy of the image for each."""
    x = image.expand(len(stack.recipes), stack.recipes[0].widths[1], -1).clone().requires_grad_()
    return torch.autograd.grad(stack.forward(x, layers=1).diagonal(dim1=1, dim2=2).sum(), x)[0]


def _saliency(stack: Stack, images: Dataset) -> Tensor:
    x = images.as_input(images.test.images[:SALIENT]).flatten(1)
    x = x.expand(len(stack.recipes), -1, -1).clone().requires_grad_()
    labels = images.test.labels[:SALIENT].expand(x.shape[:2]).unsqueeze(-1)
    return torch.autograd.grad(stack.forward(x).gather(-1, labels).sum(), x)[0]


def _corruption_errors(stack: Stack, images: Dataset, split: str, count: int | None = None) -> dict[str, Tensor]:
    parts = {(f, s): _corrupted(images, split, count, f, s) for f, s in product(FAMILIES, SEVERITIES)}
    return {
        f"error_{family}_{severity}": 1 - accuracy(stack.outputs(images, part), part.labels)
        for (family, severity), part in parts.items()
    }


@cache
def _corrupted(images: Dataset, split: str, count: int | None, family: str, severity: int) -> Split:
    """Return the first images of a split, corrupted, and rounded to the levels of the images as those on disk are."""
    whole = getattr(images, split)
    parts = [
        corrupt(images.as_input(part), family, severity, seed=CORRUPTION_SEED, start=EVALUATED * i)
        for i, part in enumerate(whole.images[:count].split(EVALUATED))
    ]
    return Split(torch.cat(parts).mul_(images.levels).round_().to(torch.uint8), whole.labels[:count])

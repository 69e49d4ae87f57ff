"""Wrong labels; corrupted images: seven families, three severities each, as in MNIST-C (Mu and Gilmer 2019)."""

import hashlib
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# What each severity does, 1 to 3. Lengths are shares of the side, so that they mean the same at 28 and at 8 pixels.
STRENGTHS: dict[str, tuple] = {
    "gaussian": (0.2, 0.4, 0.7),  # standard deviation of the noise, before clipping
    "impulse": (0.08, 0.2, 0.4),  # share of the pixels that become black or white
    "translate": (1 / 28, 2 / 28, 3 / 28),  # shift along each axis of its direction
    "blur": (1 / 28, 1.75 / 28, 2.5 / 28),  # standard deviation of the Gaussian
    "stripe": (1, 2, 3),  # white lines, each 1/14 of the side wide
    "occlusion": (0.25, 0.35, 0.45),  # side of the black square
    "affine": ((10, 0.1, 1.1), (20, 0.2, 1.2), (30, 0.3, 1.3)),  # degrees, shear, factor of the size
}
FAMILIES = tuple(STRENGTHS)
SEVERITIES = (1, 2, 3)
CLASSES = 10  # of the labels, in all data sets


def corrupt(images: Tensor, family: str, severity: int, *, seed: int, start: int = 0) -> Tensor:
    """Return a corrupted copy of images, the same for the same seed on every device.

    ``gaussian`` adds noise; ``impulse`` turns pixels black or white; ``translate`` shifts along one of the eight
    directions of the compass; ``blur`` is Gaussian; ``stripe`` draws parallel white lines; ``occlusion`` a black
    square; ``affine`` rotates, shears and scales about the centre, each one way or the other. Beyond its edges the
    image is black, for ``blur`` mirrored. How much, say ``STRENGTHS``.

    Chance is drawn for each image by itself, from ``seed``, the family and its number: splitting the images into
    batches changes nothing if each batch gives its ``start``. The severities of an image share what is drawn, so that
    they differ in strength alone.

    Args:
        images: floats in [0, 1], of shape (n, 1, h, h), black being 0.
        family: one of ``FAMILIES``.
        severity: 1, 2 or 3.
        start: the number of the first image.

    Returns:
        Floats in [0, 1], of the same shape, type and device.

    Raises:
        ValueError: the images have another shape, type or range, or the family or severity is unknown.
    """
    if images.dim() != 4 or images.shape[1] != 1 or images.shape[2] != images.shape[3] or not images.numel():
        raise ValueError(f"images must have shape (n, 1, h, h), got {tuple(images.shape)}")
    if not images.is_floating_point() or not ((images >= 0) & (images <= 1)).all():
        raise ValueError(
            f"images must be floats in [0, 1], got {images.dtype} from {images.min()} to {images.max()}; "
            "Dataset.as_input makes them"
        )
    if family not in FAMILIES or severity not in SEVERITIES:
        raise ValueError(
            f"family must be one of {', '.join(FAMILIES)} and severity 1, 2 or 3, got {family!r} and {severity!r}"
        )
    generators = [_generator(seed, family, start + i) for i in range(len(images))]

    def draw(*shape: int, sample: Callable[..., Tensor] = torch.rand) -> Tensor:
        return torch.stack([sample(shape, generator=generator) for generator in generators]).to(images)

    return _CORRUPTIONS[family](images, STRENGTHS[family][severity - 1], draw).clamp(0, 1)


def mislabel(labels: Tensor, share: float, seed: int) -> Tensor:
    """Return labels of which about this share is wrong: each of the others equally likely, the same for a seed.

    A label that is wrong at one share is at every larger one, and with the same wrong value.

    Raises:
        ValueError: the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    generator = torch.Generator().manual_seed(seed)
    hit = torch.rand(len(labels), generator=generator).to(labels.device) < share
    shift = torch.randint(1, CLASSES, (len(labels),), generator=generator).to(labels.device)
    return torch.where(hit, (labels + shift) % CLASSES, labels)


def _generator(seed: int, family: str, index: int) -> torch.Generator:
    # Mixed into 32 bits here, because torch's generator on the CPU ignores the others.
    digest = hashlib.blake2b(f"{seed}/{family}/{index}".encode(), digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest))


def _gaussian(images: Tensor, sd: float, draw: Callable) -> Tensor:
    return images + sd * draw(*images.shape[1:], sample=torch.randn)


def _impulse(images: Tensor, share: float, draw: Callable) -> Tensor:
    hit, white = draw(2, *images.shape[1:]).unbind(1)
    return torch.where(hit < share, (white < 0.5).to(images), images)


def _translate(images: Tensor, share: float, draw: Callable) -> Tensor:
    compass = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    steps = torch.tensor(compass).to(images)[(8 * draw()).long()]
    stay = torch.eye(2).to(images).expand(len(images), 2, 2)
    return _sample(images, torch.cat([stay, -2 * share * steps[:, :, None]], -1))


def _blur(images: Tensor, share: float, draw: Callable) -> Tensor:
    side = images.shape[-1]
    sigma = share * side
    radius = min(round(3 * sigma) + 1, side - 1)
    at = torch.arange(-radius, radius + 1).to(images)
    kernel = torch.softmax(-(at**2) / (2 * sigma**2), 0)
    # Row i is what becomes of a unit at i. Two products with it are faster than a convolution of one channel.
    points = torch.eye(side).to(images)[:, None]
    spread = F.conv1d(F.pad(points, [radius] * 2, mode="reflect"), kernel[None, None])[:, 0]
    return spread.T @ images @ spread


def _stripe(images: Tensor, count: int, draw: Callable) -> Tensor:
    side = images.shape[-1]
    vertical, phase = draw(2).unbind(1)
    at = torch.arange(side, device=images.device) - (side * phase).long()[:, None]
    width = max(round(side / 14), 1)
    white = sum((at - line * side // count) % side < width for line in range(count)) > 0
    rows, columns = white & (vertical >= 0.5)[:, None], white & (vertical < 0.5)[:, None]
    return images.masked_fill(rows[:, None, :, None] | columns[:, None, None, :], 1)


def _occlusion(images: Tensor, share: float, draw: Callable) -> Tensor:
    side = images.shape[-1]
    square = round(share * side)
    at = torch.arange(side, device=images.device)
    first = ((side - square + 1) * draw(2)).long()[..., None]
    rows, columns = ((at >= first) & (at < first + square)).unbind(1)
    return images.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0)


def _affine(images: Tensor, strength: tuple[float, float, float], draw: Callable) -> Tensor:
    degrees, shear, factor = strength
    turn, lean, grow = (2 * (draw(3) < 0.5) - 1).to(images).unbind(1)
    angle, zero = torch.deg2rad(degrees * turn), torch.zeros_like(turn)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    shearing = torch.stack([zero + 1, shear * lean, zero, zero + 1], -1).view(-1, 2, 2)
    return _sample(images, F.pad(rotation @ shearing * (factor**grow)[:, None, None], (0, 1)))


def _sample(images: Tensor, back: Tensor) -> Tensor:
    """Take each pixel from where ``back``, of shape (n, 2, 3), says, in halves of the side; linear in between."""
    return F.grid_sample(images, F.affine_grid(back, list(images.shape), align_corners=False), align_corners=False)


_CORRUPTIONS = {
    "gaussian": _gaussian,
    "impulse": _impulse,
    "translate": _translate,
    "blur": _blur,
    "stripe": _stripe,
    "occlusion": _occlusion,
    "affine": _affine,
}

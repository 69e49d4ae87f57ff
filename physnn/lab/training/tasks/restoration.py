r"""Restoration: images with noise, some without some of their pixels, and what variational methods make of them.

No network is trained. A replica is a method with its strength, in the place of the learning rate, and a seed, which
chooses the images and their damage; replicas of one seed see the same. There is one epoch: row 0 is the damaged image,
with the mean of what is known where pixels are missing, and row 1 the restored one. Strengths are chosen on images of
the validation split, and the test split is read once, at the end.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data.damage import binarize, damage
from physnn.lab.data.images import load
from physnn.lab.metrics.restored import pixel_error, psnr, roughness, ssim
from physnn.lab.models.plain import choice, number, switch
from physnn.lab.models.restorers import METHODS, WELL, restore
from physnn.lab.training.task import Budget, Column, Replica

QUALITY = {
    "psnr": ("peak signal-to-noise ratio over all pixels of the images, in decibels", "PSNR, dB", 2, True),
    "ssim": ("structural similarity, mean over images", "SSIM", 3, True),
    "pixel_error": ("share of pixels on the wrong side of one half", "pixel error", 4, False),
    "spatial": ("mean squared central difference, the post's term, summed over both axes", "", 4, None),
    "neighbours": ("mean squared difference of neighbours, likewise", "", 4, None),
    "excess_spatial": ("`spatial` of the restored images less that of the clean ones", "", 4, None),
    "excess_neighbours": ("`neighbours`, likewise", "", 4, None),
}
COLUMNS: Mapping[str, Column] = {
    f"{split}_{name}": Column(
        f"{meaning}, on {split} images",
        f"{split} {label}" if label else "",
        decimals=decimals,
        larger=larger,
        guess=0.0 if name == "psnr" else None,
    )
    for split in ("test", "validation")
    for name, (meaning, label, decimals, larger) in QUALITY.items()
} | {"seconds": Column("of restoring, also for the test images")}
SCORE, RESULT = "validation_psnr", "test_psnr"
STREAMS = {"validation": 0x1A6E, "test": 0x7E57}  # keep the two splits' choices and noise apart
LARGEST = 28**2  # pixels of an image


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An arm: ``{method: tikhonov, images: 200, binary: true, noise_level: 0.3, missing: 0.5}``.

    ``method`` is one of :data:`physnn.lab.models.restorers.METHODS`; ``allen-cahn`` needs ``well``, above 0.
    ``images`` is how many are restored; ``binary`` makes them black and white (false); ``noise_level`` is σ, at least
    0, and ``missing`` the share of lost pixels (0).
    """

    method: str
    images: int
    noise_level: float
    binary: bool = False
    missing: float = 0.0
    well: float = 0.0

    @property
    def architecture(self) -> tuple:
        """What replicas are put together by; each is computed by itself."""
        return self.method, self.images, self.noise_level, self.binary, self.missing

    @property
    def size(self) -> int:
        """The gray values that are sought, at most."""
        return self.images * LARGEST


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {"method": choice(rest, "method", METHODS), "images": rest.pop("images", None)}
    if type(values["images"]) is not int or values["images"] < 1:
        raise ValueError(f"images must be a whole number of at least 1, got {values['images']!r}")
    values |= {"noise_level": number(rest, "noise_level"), "missing": number(rest, "missing", 0.0)}
    if values["noise_level"] < 0 or not 0 <= values["missing"] < 1:
        raise ValueError(f"noise_level must be at least 0 and missing in [0, 1), got {values}")
    values["binary"] = switch(rest, "binary", False)
    if values["method"] in WELL:
        values["well"] = number(rest, "well")
        if values["well"] <= 0:
            raise ValueError(f"well must be above 0, got {values['well']}")
    if rest:
        raise ValueError(f"{values['method']} knows no {sorted(rest)}")
    return Recipe(**values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Restore the images of each replica; give what ``COLUMNS`` lists, before and after.

    Raises:
        ValueError: an extra, more than one epoch, a strength that is not above 0, or more images than there are.
    """
    if budget.extras:
        raise ValueError(f"restoration knows no extras, got {sorted(budget.extras)}")
    if budget.epochs != 1:
        raise ValueError(f"epochs must be 1, as an image is restored once, got {budget.epochs}")
    if wrong := [replica.lr for replica in replicas if not replica.lr > 0]:
        raise ValueError(f"lr is the strength, and must be above 0, got {wrong}")
    splits = ("validation", "test") if budget.test else ("validation",)
    measures = [{"before": {}, "after": {}, "seconds": 0.0} for _ in replicas]
    for replica, recipe, kept in zip(replicas, recipes, measures, strict=True):
        for split in splits:
            clean, image, mask = sample(budget.data, split, recipe, replica.seed)
            start = time.perf_counter()
            restored = restore(recipe.method, image, mask, replica.lr, recipe.well)
            kept["seconds"] += time.perf_counter() - start
            kept["before"] |= _quality(split, restore("nothing", image, mask, 1.0), clean)
            kept["after"] |= _quality(split, restored, clean) if restored.isfinite().all() else {}
    ask = [name for name in COLUMNS if name.startswith("validation")]
    yield [{**{name: kept["before"][name] for name in ask}, "seconds": 0.0} for kept in measures]
    yield [
        {**kept["after"], "seconds": kept["seconds"]} if len(kept["after"]) == len(splits) * len(QUALITY) else None
        for kept in measures
    ]


def sample(data: str, split: str, recipe: Recipe, seed: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return clean images of shape (n, h, w), in double precision, what is left of them, and the mask of what is known.

    Raises:
        ValueError: there are fewer images.
    """
    dataset = _load(data)
    given = getattr(dataset, split).images
    if recipe.images > len(given):
        raise ValueError(f"images must be at most {len(given)}, the {split} images of {data}, got {recipe.images}")
    generator = torch.Generator().manual_seed(seed ^ STREAMS[split])
    chosen = torch.randperm(len(given), generator=generator)[: recipe.images]
    clean = dataset.as_input(given[chosen]).squeeze(1).double()
    clean = binarize(clean) if recipe.binary else clean
    return clean, *damage(clean, recipe.noise_level, recipe.missing, generator)


def _quality(split: str, restored: Tensor, clean: Tensor) -> dict[str, float]:
    rough, truth = roughness(restored), roughness(clean)
    several = {"psnr": psnr, "ssim": ssim, "pixel_error": pixel_error}
    values = {name: measure(restored, clean) for name, measure in several.items()}
    values |= rough | {f"excess_{name}": rough[name] - truth[name] for name in rough}
    return {f"{split}_{name}": value for name, value in values.items()}


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(load)

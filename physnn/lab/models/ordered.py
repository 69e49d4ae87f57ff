"""A network whose outputs are a field on a graph: an arm's recipe, read from plain data and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from torch import nn

from physnn import ExperimentalLayer
from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.plain import choice, number
from physnn.lab.physics.conserved import SHARPENING
from physnn.lab.physics.simplex import SIZES

LOSSES = ("labels", "field", "printed", "taught")
LAYERS = ("linear", "experimental")
BETA = 0.1  # of the post's layer, which names none
SIZE = 50, 10  # inputs and outputs, for the number of parameters


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{loss: field, labels: 10, hidden: [128, 128], stiffness: 10, depth: 1, sizes: known, ...}``.

    ``loss`` is cross-entropy on the ``labels`` alone, of which a class has so many; with the energy of a ``field``;
    the post's loss as ``printed`` with the graph in the place of the class index; or cross-entropy on what the graph
    has ``taught``, by cuts after diffusions of a ``time``, with the classes' sizes. ``hidden`` are widths between, with
    rectifiers; ``layer`` is linear, or experimental, the post's.

    Of a field there are ``stiffness``, ``reach`` (1), the mean length of the walks on the graph whose ends are held
    together, ``depth`` (0), ``sharpening`` (wells), and ``sizes``: free, kept at those known of the training images, or
    taken to be equal, with ``conservation`` (1) as the strength. ``ramp`` (0) is the share of the training over which
    the depth rises from 0, and over which the stiffness falls from ``softening`` (1) times its value. Over the share
    ``lead`` (0) the network is taught by the graph, by cuts of a ``time``, before it is in the field at all, and the
    ramp begins there. The printed loss needs ``stiffness``, its spatial coefficient, and takes ``reach``. The rest are
    the entries of :class:`physnn.lab.models.dynamics.Dynamics`.
    """

    loss: str
    labels: int
    hidden: tuple[int, ...]
    layer: str = LAYERS[0]
    stiffness: float = 0.0
    reach: float = 1.0
    depth: float = 0.0
    sharpening: str = "wells"
    sizes: str = SIZES[0]
    conservation: float = 1.0
    ramp: float = 0.0
    softening: float = 1.0
    lead: float = 0.0
    time: float = 0.0

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together: also how a step is put together."""
        shape = self.loss, self.labels, self.hidden, self.layer, self.optimizer, self.scheme
        return *shape, self.sharpening, self.sizes, self.ramp, self.lead

    @property
    def size(self) -> int:
        """Number of trainable scalars, on MNIST."""
        widths = (SIZE[0], *self.hidden, SIZE[1])
        if self.layer == "experimental":
            return sum(n * m + 2 for n, m in pairwise(widths))
        return sum((n + 1) * m for n, m in pairwise(widths))

    def make(self, inputs: int, outputs: int) -> nn.Module:
        """Make the network, from torch's global seed."""
        layer = nn.Linear if self.layer == "linear" else partial(ExperimentalLayer, beta_init=BETA)
        widths = (inputs, *self.hidden, outputs)
        parts = [part for n, m in pairwise(widths) for part in (layer(n, m), nn.ReLU())]
        return nn.Sequential(*parts[:-1])


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {"loss": choice(rest, "loss", LOSSES), "layer": choice(rest, "layer", LAYERS, LAYERS[0])}
    values["labels"], hidden = rest.pop("labels", None), rest.pop("hidden", None)
    if type(values["labels"]) is not int or values["labels"] < 1:
        raise ValueError(f"labels must be a whole number of at least 1, got {values['labels']!r}")
    if not isinstance(hidden, (list, tuple)) or not all(type(w) is int and w > 0 for w in hidden):
        raise ValueError(f"hidden must be a list of whole numbers above 0, got {hidden!r}")
    values["hidden"] = tuple(hidden)
    if values["loss"] in ("field", "printed"):
        values |= {"stiffness": number(rest, "stiffness"), "reach": number(rest, "reach", 1.0)}
        if values["reach"] < 1:
            raise ValueError(f"reach must be at least 1 step, got {values['reach']:g}")
    if values["loss"] == "field":
        values |= _field(rest, values["stiffness"])
    if values["loss"] == "taught" or values.get("lead"):
        values["time"] = number(rest, "time")
        if not values["time"] > 0:
            raise ValueError(f"time must be above 0, got {values['time']:g}")
    values |= take_dynamics(rest)
    if rest:
        raise ValueError(f"{values['loss']} and {given['optimizer']} know no {sorted(rest)}")
    return Recipe(**values)


def _field(rest: dict[str, Any], stiffness: float) -> dict[str, Any]:
    """Take what is a field's own out of ``rest``."""
    values: dict[str, Any] = {"sharpening": choice(rest, "sharpening", SHARPENING, "wells")}
    values["sizes"] = choice(rest, "sizes", SIZES, SIZES[0])
    defaults = {"depth": 0.0, "ramp": 0.0, "softening": 1.0, "lead": 0.0}
    if values["sizes"] != SIZES[0]:
        defaults["conservation"] = 1.0
    values |= {name: number(rest, name, default) for name, default in defaults.items()}
    if min(stiffness, values["depth"], values.get("conservation", 0.0)) < 0:
        raise ValueError(f"stiffness, depth and conservation must be at least 0, got {stiffness:g} and {values}")
    if not 0 <= values["ramp"] <= 1 or values["softening"] < 1:
        raise ValueError(
            f"ramp must be from 0 to 1 and softening at least 1, got {values['ramp']:g} and {values['softening']:g}"
        )
    if values["lead"] < 0 or values["lead"] + values["ramp"] > 1:
        raise ValueError(
            f"lead must be at least 0, and with ramp at most 1, got {values['lead']:g} and {values['ramp']:g}"
        )
    return values

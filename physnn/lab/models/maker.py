"""What makes small pictures, as a recipe: a machine in a heat bath, or another model, and what it is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from physnn.lab.data.small import LEVELS, PIXELS
from physnn.lab.models.plain import choice, number, switch
from physnn.lab.physics.noising import Fade

MODELS = ("machine", "normal", "copula", "boltzmann", "diffusion")
AGAINST = ("held", "own")
STEPS, DT = 200, 0.05  # of dissolving, and of making


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An arm: ``{model: machine, images: 10000, levels: gray, amplitude: 4.0, hold: 0.5, quartic: 0.05}``.

    ``images`` training pictures of ``levels`` (gray, or two) are given; ``made`` (by default 2,000) pictures are made
    and held ``against`` pictures of the same data (held), or the training pictures where these are all there is (own).
    By model:

    - ``machine``: pictures are ``amplitude`` thermal widths high, above 0, held for the share ``hold`` of the steps
      before they fade, and gone for the share ``gone`` (0.1) at the end. ``quartic`` is J4 times the square of the
      amplitude, at least 0. ``hidden`` (0) more units begin as copies of pixels, in their order, at most as many as
      there are. ``stages`` (1), a divisor of 200, are machines of which each is at work for an equal part of the time.
    - ``diffusion``: ``amplitude``, ``hold``, ``gone``, ``hidden`` units, ``clock`` (true), whether its guesses are
      ``bounded`` (false), and ``steps`` of training.
    - ``boltzmann``: ``hidden`` units and ``steps``.
    - ``normal`` and ``copula`` have nothing to choose.
    """

    model: str
    images: int
    levels: str
    against: str
    made: int
    amplitude: float = 1.0
    hold: float = 0.0
    gone: float = 0.1
    quartic: float = 0.0
    hidden: int = 0
    stages: int = 1
    clock: bool = True
    bounded: bool = False
    steps: int = 0

    @property
    def architecture(self) -> tuple:
        """What replicas are put together by."""
        return self.model, self.images, self.levels, self.hidden, self.stages

    @property
    def size(self) -> int:
        """Number of scalars that are fitted."""
        units = PIXELS + self.hidden
        return {
            "machine": self.stages * (units * (units + 1) // 2 + units),
            "diffusion": (PIXELS + self.clock + 1) * self.hidden + (self.hidden + 1) * PIXELS,
            "boltzmann": PIXELS * self.hidden + PIXELS + self.hidden,
        }.get(self.model, PIXELS * (PIXELS + 1) // 2 + PIXELS)

    @property
    def fade(self) -> Fade:
        """How its pictures dissolve."""
        return Fade(STEPS, DT, self.hold, self.gone)


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {"model": choice(rest, "model", MODELS), "levels": choice(rest, "levels", LEVELS)}
    values["against"] = choice(rest, "against", AGAINST, AGAINST[0])
    counts = {"images": rest.pop("images", None), "made": rest.pop("made", 2000)}
    least = {"images": 2, "made": 2}
    if values["model"] == "machine":
        values["quartic"] = number(rest, "quartic")
        counts |= {"hidden": rest.pop("hidden", 0), "stages": rest.pop("stages", 1)}
        least |= {"hidden": 0, "stages": 1}
    if values["model"] in ("boltzmann", "diffusion"):
        counts |= {name: rest.pop(name, None) for name in ("hidden", "steps")}
        least |= {"hidden": 1, "steps": 1}
    if values["model"] in ("machine", "diffusion"):
        values |= {name: number(rest, name) for name in ("amplitude", "hold")} | {"gone": number(rest, "gone", 0.1)}
        if values["amplitude"] <= 0 or values.get("quartic", 0.0) < 0:
            raise ValueError(
                f"amplitude must be above 0, and quartic at least 0, got {values['amplitude']}, {values.get('quartic')}"
            )
    if values["model"] == "diffusion":
        values |= {"clock": switch(rest, "clock", True), "bounded": switch(rest, "bounded", False)}
    if wrong := {name: value for name, value in counts.items() if type(value) is not int or value < least[name]}:
        raise ValueError(f"{', '.join(wrong)} must be whole numbers, at least {[least[k] for k in wrong]}, got {wrong}")
    if values["model"] == "machine" and (counts["hidden"] > PIXELS or STEPS % counts["stages"]):
        raise ValueError(f"hidden must be at most {PIXELS}, and stages divide {STEPS}, got {counts}")
    if rest:
        raise ValueError(f"{values['model']} knows no {sorted(rest)}")
    recipe = Recipe(**values, **counts)
    _ = recipe.fade  # raises for a hold that leaves no time to fade
    return recipe

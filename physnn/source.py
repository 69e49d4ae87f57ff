"""Where the noise of an optimizer comes from: a generator for each device, their seeds, and their state."""

import warnings
from collections.abc import Iterable, MutableMapping
from typing import Any

import torch
from torch import Tensor

from physnn.state import has_values

KEY = "generator"  # of the state of one parameter per device


class NoiseSource:
    """The generators of one optimizer: the one given, or one made for each device that is asked for.

    Args:
        generator: the one of all noise, or None; then each is seeded from torch's global generator.

    Attributes:
        seeded: whether somebody has said where the noise starts: by a generator, a seed, or a state.
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        self.given = generator is not None
        self.seeded = self.given
        self.generators = {} if generator is None else {generator.device: generator}
        self.written: dict[torch.device, Tensor] = {}

    def of(self, device: torch.device) -> torch.Generator | None:
        """Return the generator of ``device``; None on the meta device, where nothing is drawn.

        Raises:
            ValueError: one was given, and it is on another device.
        """
        if device not in self.generators and device.type != "meta":
            if self.given:
                raise ValueError(f"the generator is on {next(iter(self.generators))}, but a parameter is on {device}")
            seed = torch.randint(2**63 - 1, (), device="cpu")
            self.generators[device] = torch.Generator(device).manual_seed(int(seed) if has_values(seed) else 0)
        return self.generators.get(device)

    def check_seeded(self) -> None:
        """Raise in one of several processes if nobody has said how their noise is seeded.

        Raises:
            RuntimeError: it is so.
        """
        if not self.seeded and torch.distributed.is_available() and torch.distributed.is_initialized():
            if torch.distributed.get_world_size() > 1:
                raise RuntimeError(
                    "there are several processes, and nobody has said how their noise is seeded. Give a generator, or "
                    "call optimizer.reseed(seed): with one seed for all in DistributedDataParallel, or the replicas "
                    "drift apart; with a seed for each rank for the parts of a ZeroRedundancyOptimizer, or they share "
                    "their noise, and for chains of their own"
                )

    def reseed(self, seed: int) -> None:
        """Seed the first device with ``seed``, and every further one with a number drawn from it."""
        seeds = torch.Generator().manual_seed(seed)
        for i, device in enumerate(sorted(self.generators, key=str)):
            drawn = int(torch.randint(2**63 - 1, (), generator=seeds))
            self.generators[device].manual_seed(drawn if i else seed)
        self.seeded = True

    def write(self, state: MutableMapping[Tensor, dict[str, Any]], params: Iterable[Tensor]) -> None:
        """Put the state of every generator beside what is kept for a parameter of its device, the first that moves.

        There it goes wherever the velocities go, also where somebody takes ``optimizer.state`` apart.
        """
        params = list(params)
        for device, generator in self.generators.items():
            here = [p for p in params if p.device == device]
            if not here:  # they have moved elsewhere since
                continue
            holder = next((p for p in here if p.requires_grad), here[0])
            for p in here:
                if p is not holder and p in state:
                    state[p].pop(KEY, None)
            self.written[device] = state[holder][KEY] = generator.get_state().to(device)

    def follow(self, device: torch.device, given: Tensor) -> None:
        """Go on from the state ``given``, unless it is the one that was written last."""
        if self.written.get(device) is given:
            return
        self.written[device] = given
        generator = self.of(device)
        state = given.to("cpu", torch.uint8)  # the bytes may have been loaded in the type of a parameter
        if generator is None or state.numel() != generator.get_state().numel():
            self.warn(f"the state holds the noise of another kind of device than {device}", stacklevel=3)
            return
        generator.set_state(state)
        self.seeded = True

    def warn(self, reason: str, stacklevel: int) -> None:
        warnings.warn(
            f"{reason}: the run goes on with noise of its own, and does not repeat the one that was saved",
            UserWarning,
            stacklevel=stacklevel + 1,
        )

    def __getstate__(self) -> dict[str, Any]:
        states = {str(device): generator.get_state() for device, generator in self.generators.items()}
        return {"given": self.given, "seeded": self.seeded, "states": states}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.given, self.seeded, self.written = state["given"], state["seeded"], {}
        self.generators = {torch.device(device): torch.Generator(device) for device in state["states"]}
        for device, generator in self.generators.items():
            generator.set_state(state["states"][str(device)])

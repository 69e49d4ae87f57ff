"""Where the noise of an optimizer comes from: a generator for each device, their seeds, and their state as text."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


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

    def of(self, device: torch.device) -> torch.Generator | None:
        """Return the generator of ``device``; None on the meta device, where nothing is drawn.

        Raises:
            ValueError: one was given, and it is on another device.
        """
        if device not in self.generators and device.type != "meta":
            if self.given:
                raise ValueError(f"the generator is on {next(iter(self.generators))}, but a parameter is on {device}")
            seed = int(torch.randint(2**63 - 1, (), device="cpu"))
            self.generators[device] = torch.Generator(device).manual_seed(seed)
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
                    "drift apart; with a seed for each rank for chains of their own"
                )

    def reseed(self, seed: int) -> None:
        """Seed the first device with ``seed``, and every further one with a number drawn from it."""
        seeds = torch.Generator().manual_seed(seed)
        for i, device in enumerate(sorted(self.generators, key=str)):
            drawn = int(torch.randint(2**63 - 1, (), generator=seeds))
            self.generators[device].manual_seed(drawn if i else seed)
        self.seeded = True

    def pack(self) -> dict[str, str]:
        """Return the state of every generator as text, which goes wherever a state_dict goes."""
        return {str(device): _text(generator) for device, generator in self.generators.items()}

    def unpack(self, packed: Iterable[dict[str, Any] | None], stacklevel: int = 2) -> None:
        """Set every generator to its state in one of ``packed``; warn of those that are in none, and leave them."""
        states = {device: state for given in packed for device, state in (given or {}).items()}
        for device, generator in self.generators.items():
            if str(device) in states:
                state = states[str(device)]
                if not isinstance(state, Tensor):  # older versions saved tensors
                    state = torch.tensor(list(bytes.fromhex(state)), dtype=torch.uint8)
                generator.set_state(state.cpu())
                self.seeded = True
        missing = [str(device) for device in self.generators if str(device) not in states]
        if missing:
            warnings.warn(
                f"the state holds the noise of {', '.join(states) or 'no device'}, not of {', '.join(missing)}: the run "
                "goes on with noise of its own, and does not repeat the one that was saved",
                UserWarning,
                stacklevel=stacklevel + 1,
            )

    def __getstate__(self) -> dict[str, Any]:
        return {"given": self.given, "seeded": self.seeded, "generators": self.pack()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.given, self.seeded, packed = state["given"], state["seeded"], state["generators"]
        self.generators = {torch.device(device): torch.Generator(device) for device in packed}
        self.unpack([packed])
        self.seeded = state["seeded"]


def _text(generator: torch.Generator) -> str:
    return bytes(generator.get_state().tolist()).hex()

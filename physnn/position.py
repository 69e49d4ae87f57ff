"""The vector a of a dynamic layer: computed, or kept; and what is said of one that is not right."""

import math
from typing import Any

import torch
from torch import Tensor

COMPUTED = ("index", "normalized", "ones")  # in every pass anew: what is kept can be lost, averaged and cast
POSITIONS = (*COMPUTED, "permuted", "learned")
# An order that was found right, how many writes it had seen by then, and where it lay.
Look = tuple[Tensor | None, int | None, int]
NEVER: Look = (None, None, 0)


def computed(kind: str, n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the n factors of a position that is neither drawn nor learned."""
    if kind == "ones":
        return torch.ones(n, dtype=dtype, device=device)
    index = torch.arange(n, dtype=dtype, device=device)
    return index if kind == "index" else index / math.sqrt((n - 1) * (2 * n - 1) / 6)  # rms of 0, 1, ..., n-1


def check_order(position: Tensor, n: int, last: Look) -> Look:
    """Check that ``position`` is an order of 0, ..., n-1, if it was replaced or written to since ``last``.

    Raises:
        RuntimeError: it is none.
    """
    version = None if position.is_inference() else getattr(position, "_version", None)
    place = position.data_ptr()
    if position is last[0] and version is not None and version == last[1] and place == last[2]:
        return last
    integers = not position.is_floating_point() and position.shape == (n,)
    if integers and torch.equal(position.sort().values, torch.arange(n, dtype=position.dtype, device=position.device)):
        return position, version, place
    values = position.unique()
    raise RuntimeError(
        f"position='permuted', but the buffer is no order of 0..{n - 1}: of shape {tuple(position.shape)} and "
        f"{position.dtype}, with {len(values)} values from {values[0].item()} to {values[-1].item()}. Buffers that "
        "were averaged (use_buffers=True), left empty (to_empty), or filled from the state of another layer are none. "
        "Load the state_dict of the layer that it was made from, copy that layer's position, or call "
        "reset_parameters()."
    )


def complaint(kind: str, name: str, given: Any, recorded: str | None) -> str | None:
    """Return what is wrong with a state for a layer with position ``kind``, or None.

    Args:
        name: the key of the position in the state.
        given: what stands there, or None.
        recorded: the position of the layer that was saved, or None in a state that does not know it.
    """
    saved = kind if recorded is None else recorded
    if saved == kind and isinstance(given, Tensor):
        saved = "learned" if given.is_floating_point() else "permuted"
    if saved == kind:
        return None
    return (
        f"{name}: the state is of a layer with position={saved!r}, and this one has position={kind!r}. Make the layer "
        f"with position={saved!r}; to take the other values all the same, load a plain dict of them, without position."
    )

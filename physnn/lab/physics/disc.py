r"""The hyperbolic plane in the disc of Poincaré, curvature −1: points are complex numbers with :math:`|z| < 1`."""

import numpy as np

FAR = 30.0  # from the centre: a double knows the distance there to a thousandth


def distance(z: np.ndarray, w: np.ndarray) -> np.ndarray:
    r"""Return the distance of points of the disc, which broadcast.

    .. math::
        d(z, w) = 2 \operatorname{artanh} \left| \frac{z - w}{1 - \bar z w} \right|
        = 2 \operatorname{arsinh} \frac{|z - w|}{\sqrt{(1 - |z|^2)(1 - |w|^2)}}

    It is computed by the second form, which stays exact where the first one's magnitude rounds to 1.

    Raises:
        ValueError: a point lies outside.
    """
    z, w = _inside(z), _inside(w)
    return 2 * np.arcsinh(np.abs(z - w) / np.sqrt((1 - np.abs(z) ** 2) * (1 - np.abs(w) ** 2)))


def translated(z: np.ndarray, by: complex) -> np.ndarray:
    r"""Move the plane so that 0 comes to ``by``: :math:`z \mapsto (z + a) / (1 + \bar a z)`. It keeps all distances.

    Raises:
        ValueError: a point, or ``by``, lies outside of the disc.
    """
    return _translated(_inside(z), _inside(np.asarray(by)))


def geodesic(z: complex, w: complex, points: int = 20) -> np.ndarray:
    """Return points on the shortest way from z to w, both included, at equal distances: a circular arc, or a line."""
    straight = complex(translated(np.asarray(w), -z))  # where z is the centre, the way is a radius
    length = 2 * np.arctanh(abs(straight))
    radii = np.tanh(np.linspace(0, length, points) / 2)
    return translated(radii * (straight / abs(straight) if straight else 1.0), z)


def tree_layout(branching: int, depth: int, edge: float) -> np.ndarray:
    r"""Place a regular tree in the disc, with its root at 0 and every edge of one hyperbolic length.

    The edges of a node leave it with equal angles between them. As edges grow longer, the distances come to those of
    the tree times that length, less a constant for every bend.

    Args:
        branching: b, children of every node, at least 2, and ``depth``, levels below the root. Node 0 is the root, and
            node k has the children bk+1, ..., bk+b.
        edge: the length of an edge, above 0.

    Returns:
        Complex numbers, one for each node. Source: Sarkar (2012).

    Raises:
        ValueError: a number is out of its range, or double precision cannot tell the leaves from the edge of the disc.
    """
    if branching < 2 or depth < 1 or not edge > 0:
        raise ValueError(
            f"a tree needs at least 2 branches, a depth of at least 1 and edges longer than 0, "
            f"got {branching}, {depth} and {edge}"
        )
    if depth * edge > FAR:
        raise ValueError(
            f"at {depth} edges of length {edge} the leaves are farther away than {FAR:g}: take shorter ones"
        )
    places = np.zeros(1, dtype=complex)
    above = level = places
    turns = np.arange(branching) / branching
    for _ in range(depth):
        parents = np.repeat(level, branching)
        back = np.angle(_translated(np.repeat(above, branching), -parents))  # of the root: 0, any direction will do
        directions = np.exp(1j * (back + 2 * np.pi * np.tile(turns, len(level))))
        above, level = parents, _translated(np.tanh(edge / 2) * directions, parents)
        turns = np.arange(1, branching + 1) / (branching + 1)  # the way back is one of the directions
        places = np.concatenate([places, level])
    return places


def _translated(z: np.ndarray, by: np.ndarray) -> np.ndarray:
    return (z + by) / (1 + by.conj() * z)


def _inside(z: np.ndarray) -> np.ndarray:
    z = np.asarray(z, dtype=complex)
    if not (np.abs(z) < 1).all():
        raise ValueError("points of the disc have a magnitude below 1")
    return z

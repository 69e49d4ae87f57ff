"""Embeddings of a tree: what is measured, that replicas do not meet, and that the curved plane has more room."""

import numpy as np
import pandas as pd
import pytest
import torch

from physnn.lab.data.trees import tree_distances
from physnn.lab.metrics.distortion import average_distortion
from physnn.lab.physics.disc import tree_layout
from physnn.lab.training import task as tasks
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import embedding

SMALL = {"dimensions": 2, "branching": 2, "depth": 3, "edge": 1.0, "optimizer": "adam"}
HYPERBOLIC, FLAT = {**SMALL, "space": "hyperbolic"}, {**SMALL, "space": "flat"}


def train(replicas, epochs=1, **budget):
    given = Budget("", epochs, **{"batch_size": 5, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task="embedding") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


@pytest.mark.parametrize("recipe", [HYPERBOLIC, FLAT], ids=["hyperbolic", "flat"])
def test_alone_is_as_in_company(recipe):
    """Of another seed, and of another length of an edge."""
    member, longer = Replica("a", recipe, 0.1, 3), Replica("b", recipe | {"edge": 2.0}, 0.1, 3)
    together = train([longer, Replica("a", recipe, 0.1, 1), member])
    found = together[(together.arm == "a") & (together.seed == 3)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, train([member]), rtol=1e-6)


def test_the_layout_of_a_tree_has_no_stress_where_edges_are_long():
    """Sarkar's points, as tangent vectors, have the distances of the disc; those of neighbours are an edge each."""
    edge, graph = 4.0, torch.from_numpy(tree_distances(2, 3))
    z = tree_layout(2, 3, edge)
    radius = 2 * np.arctanh(np.abs(z))
    tangent = radius * np.exp(1j * np.angle(z))
    points = embedding.Points(15, 2, "hyperbolic", edge)
    with torch.no_grad():
        points.places.copy_(torch.from_numpy(np.stack([tangent.real, tangent.imag], -1)))
    found = points(torch.arange(15)).detach()
    torch.testing.assert_close(found[graph == 1], torch.ones(28, dtype=torch.float64), rtol=1e-6, atol=1e-6)
    assert embedding.stress(found, graph.double()).item() < 0.01
    assert average_distortion(found.numpy(), graph.numpy()) < 0.03


def test_flat_distances_are_euclids_and_a_points_own_do_not_count():
    points = embedding.Points(15, 3, "flat", 2.0)
    found, graph = points(torch.tensor([4, 7])), torch.from_numpy(tree_distances(2, 3))[[4, 7]].double()
    places = points.places.detach()
    torch.testing.assert_close(found, torch.cdist(places[[4, 7]], places) / 2, rtol=1e-4, atol=1e-5)
    expected = np.mean(
        [(found[r, c].item() / graph[r, c].item() - 1) ** 2 for r in (0, 1) for c in range(15) if graph[r, c]]
    )
    assert embedding.stress(found, graph).item() == pytest.approx(expected)


def test_the_hyperbolic_plane_has_more_room_for_a_tree():
    """63 nodes, a few hundred steps: less distortion, and neighbours found more often, by each of two seeds."""
    deeper = {"depth": 5, "lr_schedule": "cosine"}
    recipes = {"hyperbolic": HYPERBOLIC | deeper, "flat": FLAT | deeper}
    table = train([Replica(name, r, 1.0, seed) for name, r in recipes.items() for seed in (0, 1)], 6, batch_size=21)
    last = table[table.epoch == 6].pivot(index="seed", columns="arm")
    assert (last.distortion.hyperbolic < last.distortion.flat).all()
    assert (last["map"].hyperbolic > last["map"].flat + 0.1).all()
    assert (table.groupby(["arm", "seed"]).distortion.agg(lambda d: d.iloc[-1] < d.iloc[0] / 2)).all()


def test_every_column_is_explained():
    table = train([Replica("a", HYPERBOLIC, 0.1, 0)])
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*embedding.COLUMNS}
    assert not {"map", "worst_distortion"} & {*train([Replica("a", FLAT, 0.1, 0)], test=False)}
    assert embedding.checksum("") == "none"


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (HYPERBOLIC | {"space": "spherical"}, "space must be one of flat, hyperbolic, got 'spherical'"),
        (HYPERBOLIC | {"dimensions": 0}, "dimensions must be a whole number above 0, and edge above 0, got 0 and 1.0"),
        (HYPERBOLIC | {"edge": -1.0}, "got 2 and -1.0"),
        (HYPERBOLIC | {"depth": 9}, "at most 256 leaves"),
        (HYPERBOLIC | {"momentum": 0.9}, r"embedding and adam know no \['momentum'\]"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    with pytest.raises(ValueError, match=message):
        tasks.find("embedding").read(recipe)


def test_no_extras_and_no_data():
    with pytest.raises(ValueError, match=r"no extras and no data, got \['coherence'\] and ''"):
        train([Replica("a", FLAT, 0.1, 0)], extras=("coherence",))
    recipe = embedding.read(FLAT)
    assert recipe.size == 30 == sum(p.numel() for p in recipe.make().parameters())

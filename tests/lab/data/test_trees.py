"""Noisy trees and label trees: heights against networkx, distances against their mean, and chance from the seed."""

import math

import networkx as nx
import numpy as np
import pytest
import torch

from physnn.lab.data import trees
from physnn.lab.data.images import load
from physnn.lab.metrics.hierarchy import error_height


def regular(branching, depth):
    """The tree as networkx has it, with its edges away from the root, and its leaves from left to right."""
    graph = nx.balanced_tree(branching, depth, create_using=nx.DiGraph)
    return graph, [node for node in graph if not graph[node]]


@pytest.mark.parametrize(("branching", "depth"), [(2, 1), (2, 4), (3, 3), (4, 2)])
def test_heights_are_those_of_the_lowest_common_ancestors(branching, depth):
    graph, leaves = regular(branching, depth)
    levels = nx.shortest_path_length(graph, 0)
    found = nx.all_pairs_lowest_common_ancestor(graph, [(a, b) for a in leaves for b in leaves])
    heights = {pair: (depth - levels[node]) / depth for pair, node in found}
    expected = [[heights[a, b] if (a, b) in heights else heights[b, a] for b in leaves] for a in leaves]
    torch.testing.assert_close(trees.regular_heights(branching, depth), torch.tensor(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("branching", "depth"), [(2, 5), (3, 3)])
def test_distances_of_all_nodes_are_networkx(branching, depth):
    graph = nx.balanced_tree(branching, depth)
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    expected = [[lengths[a][b] for b in graph] for a in graph]
    assert trees.tree_distances(branching, depth).tolist() == expected


def test_leaves_are_as_far_apart_as_their_ancestor_is_high():
    """|c_i - c_j|² / 2h is chi-squared of 32: its mean over 60 trees, to five deviations."""
    pairs = {1 / 3: (0, 1), 2 / 3: (0, 2), 1.0: (0, 4)}
    drawn = [trees.noisy_tree(2, 3, 1.0, seed).centres for seed in range(60)]
    for height, (i, j) in pairs.items():
        values = torch.stack([(c[i] - c[j]).square().sum() for c in drawn]) / (2 * height)
        assert values.mean().item() == pytest.approx(32, abs=5 * math.sqrt(2 * 32 / 60))


def test_samples_are_their_leaf_and_noise():
    tree = trees.noisy_tree(3, 2, 0.7, 4)
    for name, size in trees.SIZES.items():
        part = getattr(tree, name)
        assert part.inputs.shape == (size, 32) and part.labels.shape == (size,)
        assert (part.labels.bincount() - size / 9).abs().max() < 1
        noise = part.inputs - tree.centres[part.labels]
        assert noise.square().mean().item() == pytest.approx(0.49, rel=5 * math.sqrt(2 / (32 * size)))
        following = (part.labels[1:] == part.labels[:-1]).double().mean()
        assert following.item() == pytest.approx(1 / 9, abs=5 * math.sqrt(8 / 81 / size)), "in random order"


def test_the_nearest_leaf_errs_as_two_leaves_do():
    """Of two leaves: a normal variable beyond half their distance; 3,200 samples, to five deviations."""
    tree = trees.noisy_tree(2, 1, 3.0, 1)
    half = (tree.centres[0] - tree.centres[1]).norm().item() / 2
    expected = 0.5 * math.erfc(half / 3.0 / math.sqrt(2))
    wrong = (trees.nearest(tree.test.inputs, tree.centres) != tree.test.labels).double().mean().item()
    assert wrong == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / 3200))


def test_chance_comes_from_the_seed_alone():
    one, same, other = (trees.noisy_tree(2, 3, 1.0, seed) for seed in (5, 5, 6))
    assert torch.equal(one.test.inputs, same.test.inputs) and torch.equal(one.train.labels, same.train.labels)
    assert not torch.equal(one.centres, other.centres)
    torch.manual_seed(0)
    before = torch.rand(())
    torch.manual_seed(0)
    trees.noisy_tree(2, 3, 1.0, 5)
    assert torch.rand(()) == before
    assert trees.checksum() == trees.checksum() and len(trees.checksum()) == 64


def test_the_label_tree_is_that_of_the_class_means_of_training_images():
    """By hand: the first two labels joined are those with the closest means, and the root is the last height."""
    images = load("digits")
    means = torch.stack([
        images.train.images[images.train.labels == k].double().mean(0).flatten() / 16 for k in range(10)
    ])  # fmt: skip
    apart = torch.cdist(means, means)
    tree = trees.label_tree(images)
    pair = divmod((apart + 1e9 * torch.eye(10)).argmin().item(), 10)
    assert {*tree[0, :2]} == {*pair} and tree[0, 2] == pytest.approx(apart[pair].item())
    heights = trees.linkage_heights(tree)
    assert heights.max() == 1 and torch.equal(heights, heights.T) and (heights.diagonal() == 0).all()
    assert heights[pair].item() == pytest.approx(tree[0, 2] / tree[-1, 2])
    # Of three labels the two largest heights are equal: it is a tree.
    for i, j, k in ((0, 1, 2), (3, 5, 8), (4, 7, 9)):
        _, b, c = sorted([heights[i, j].item(), heights[j, k].item(), heights[i, k].item()])
        assert b == pytest.approx(c)


def test_heights_of_errors_go_with_networkx_on_the_label_tree():
    tree = trees.label_tree(load("digits"))
    graph = nx.DiGraph()
    for i, (a, b, *_) in enumerate(tree):
        graph.add_edges_from([(10 + i, int(a)), (10 + i, int(b))])
    generator = np.random.default_rng(0)
    answers, labels = generator.integers(0, 10, (2, 200))
    joined = {
        pair: tree[nx.lowest_common_ancestor(graph, *pair) - 10, 2] / tree[-1, 2]
        for pair in zip(answers.tolist(), labels.tolist(), strict=True)
        if pair[0] != pair[1]
    }
    wrong = [pair for pair in zip(answers.tolist(), labels.tolist(), strict=True) if pair[0] != pair[1]]
    found = error_height(torch.from_numpy(answers), torch.from_numpy(labels), trees.linkage_heights(tree))
    assert found.item() == pytest.approx(np.mean([joined[pair] for pair in wrong]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((1, 3, 1.0, 0), "at least 2 branches and a depth of at least 1, got 1 and 3"),
        ((2, 0, 1.0, 0), "got 2 and 0"),
        ((2.0, 3, 1.0, 0), "got 2.0 and 3"),
        ((2, 9, 1.0, 0), "at most 256 leaves, got 2 to the power of 9"),
        ((2, 3, 0.0, 0), "noise must be a number above 0, got 0.0"),
    ],
)
def test_a_tree_that_there_is_not(given, message):
    with pytest.raises(ValueError, match=message):
        trees.noisy_tree(*given)

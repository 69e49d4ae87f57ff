"""The task of graphs: on digits, and what it refuses."""

import pytest

from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import graph


def finished(recipe, lr=3.0, seed=0, test=True):
    own = {"labels": 2, **recipe}
    replica = Replica("arm", own, lr, seed)
    return [rows[0] for rows in graph.run([replica], [graph.read(own)], Budget("digits", 1, test=test))]


def test_a_field_is_the_same_alone_and_among_others():
    own = [{"method": "poisson", "labels": 2}, {"method": "threshold", "labels": 2, "sizes": "known"}]
    replicas = [Replica("arm", recipe, 3.0, seed) for recipe in own for seed in (0, 1)]
    together = list(graph.run(replicas, [graph.read(r.recipe) for r in replicas], Budget("digits", 1, test=True)))[-1]
    for recipe, row in ((own[0], together[1]), (own[1], together[2])):
        alone = finished(recipe, seed=1 if recipe is own[0] else 0)[-1]
        assert {**alone, "seconds": 0} == {**row, "seconds": 0}


def test_the_graph_beats_the_nearest_image_and_sizes_help():
    nearest = finished({"method": "nearest"})
    assert nearest[0]["validation_accuracy"] == nearest[1]["validation_accuracy"]
    best = finished({"method": "threshold", "sizes": "known"})[1]
    assert best["accuracy"] > nearest[1]["accuracy"] + 0.1 and best["off"] < 0.01
    assert {"accuracy", "test_accuracy", "validation_accuracy", "off", "steps", "seconds"} == set(best)
    assert "test_accuracy" not in finished({"method": "laplace"}, test=False)[1]


def test_no_test_image_has_a_label():
    from physnn.lab.data.images import load

    data = load("digits")
    index = graph.labelled("digits", 5, 3)
    assert len(index) == 50 and int(index.max()) < len(data.train) + len(data.validation)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"method": "magic"}, "method must be one of"),
        ({"method": "poisson", "labels": 0}, "whole numbers of at least 1"),
        ({"method": "nearest", "sizes": "known"}, "no field whose sizes"),
        ({"method": "poisson", "width": 1}, "knows no"),
    ],
)
def test_bad_recipes_are_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        graph.read({"labels": 1, **recipe})


def test_budgets_that_do_not_fit_are_refused():
    replica, recipe = Replica("arm", {"method": "poisson", "labels": 1}, 0.0, 0), graph.Recipe("poisson", 1)
    for budget, said in ((Budget("digits", 2), "epochs must be 1"), (Budget("digits", 1), "must be above 0")):
        with pytest.raises(ValueError, match=said):
            next(graph.run([replica], [recipe], budget))

"""The flow of the loss in the outputs: the loss is the proposal's, the ends are judged as they are."""

import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from physnn import ginzburg_landau_loss
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import outputs

FLOW = {"starts": 40, "batch": 1, "steps": 60, "optimizer": "sgd", "momentum": 0.0, "lr_schedule": "cosine"}
RECIPES = {
    "printed": FLOW,
    "turned": {**FLOW, "quartic": 5.0},
    "no bars": {**FLOW, "outer": "none"},
    "in a batch": {**FLOW, "batch": 20},
    "zero ends": {**FLOW, "boundary": "zero"},
}


def replica(name, seed, lr=0.1):
    return Replica(name, RECIPES[name], lr, seed)


def train(replicas, epochs=2, **budget):
    rows = [row for chunk in chunks(replicas, Budget("", epochs, **budget), task="outputs") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


@pytest.mark.parametrize(("batch", "norm"), [(1, "sample"), (8, "batch")])
@pytest.mark.parametrize("outer", ["abs", "none"])
@pytest.mark.parametrize("quartic", [-5.0, 5.0])
def test_the_slope_is_that_of_the_loss(batch, norm, outer, quartic):
    """Of ``ginzburg_landau_loss``, for outputs by themselves and for one batch, times their number."""
    recipe = outputs.read({**FLOW, "starts": 8, "batch": batch, "outer": outer, "quartic": quartic})
    phi = torch.randn(8, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.arange(8)
    target = F.one_hot(labels, 10).double().view(8 // batch, batch, 10)
    pieces = zip(phi.split(batch), labels.split(batch), strict=True)
    loss = sum(ginzburg_landau_loss(p, y, quartic=quartic, norm=norm, outer=outer) for p, y in pieces)
    (expected,) = torch.autograd.grad(batch * loss, phi)
    stacked = phi.detach().view(1, 8 // batch, batch, 10)
    slope = outputs._slope(stacked, target, {recipe: torch.tensor([0])})
    torch.testing.assert_close(slope.view(8, 10), expected)


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    member = replica(name, 3)
    alone = train([member])
    for company in ([replica(name, 0), member], [*(replica(other, 3, 0.05) for other in RECIPES), member]):
        together = train(company)
        found = together[(together.arm == name) & (together.seed == 3) & (together.lr == 0.1)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, alone, rtol=1e-4, atol=1e-6)


def test_ends_are_judged_by_their_labels():
    right, wrong = F.one_hot(torch.tensor([1, 2]), 10).float(), -F.one_hot(torch.tensor([3, 3]), 10).float()
    tied = torch.ones(1, 10)
    found = outputs.judged(torch.cat([right, wrong, tied]), torch.tensor([1, 2, 3, 4, 0]))
    # The two right ones are one end, counted from the label's class on; the wrong ones are two; a tie is not right.
    assert found["right"] == pytest.approx(2 / 5) and found["states"] == 4
    assert found["walled"] == pytest.approx((2 + 2 + 10) / 50)
    assert found["margin"] == pytest.approx((1 + 1 - 1 + 0 + 0) / 5)
    near = outputs.judged(torch.tensor([[1.0, 0.01], [1.0, 0.0]]), torch.tensor([0, 0]))
    assert near["states"] == 1


def test_without_normal_starts_a_right_answer_under_the_turned_sign_stays():
    """With no spatial term one-hot is the minimum of q2 d² + |q4| d⁴, and does not move."""
    recipe = outputs.read({**FLOW, "starts": 10, "quartic": 5.0, "spatial": 0.0})
    target = F.one_hot(torch.arange(10), 10).float().view(10, 1, 10)
    slope = outputs._slope(2 * target[None], target, {recipe: torch.tensor([0])})
    assert slope.abs().max() == 0


def test_bars_stop_the_printed_flow_at_zero_energy_and_without_them_it_runs_on():
    recipe = {**FLOW, "starts": 50, "steps": 1500}
    arms = [Replica("bars", recipe, 0.1, 0), Replica("none", {**recipe, "outer": "none"}, 0.1, 0)]
    table = train(arms)
    bars, none = (table[table.arm == arm].set_index("epoch") for arm in ("bars", "none"))
    assert bars.zero[2] > 0.7 and bars.moved[2] < 0.02
    assert none.energy[2] < none.energy[1] < none.energy[0] < 0 and none.zero[2] == 0
    assert bars.energy[0] == none.energy[0]  # one seed, the same starts


def test_half_the_step_ends_where_the_step_does():
    """A flow does not know its step: the shares differ by less than 3 of 100 starts, the energies by 2 %."""
    recipe = {**FLOW, "starts": 100, "steps": 400, "quartic": 5.0}
    table = train([Replica("one", recipe, 0.1, 0), Replica("half", {**recipe, "steps": 800}, 0.05, 0)], epochs=1)
    ends = table[table.epoch == 1].set_index("arm")
    assert ends.right["one"] == pytest.approx(ends.right["half"], abs=0.03)
    assert ends.energy["one"] == pytest.approx(ends.energy["half"], rel=0.02)


def test_every_column_is_explained():
    table = train([replica(name, 0) for name in RECIPES])
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*outputs.COLUMNS}
    assert outputs.checksum("") == "none" and outputs.read(FLOW).size == 400


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({**FLOW, "batch": 3}, "batch a divisor of starts, got"),
        ({**FLOW, "starts": 1.5}, "starts, batch and steps must be whole numbers"),
        ({**FLOW, "outer": "elementwise"}, "outer must be one of abs, none, got 'elementwise'"),
        ({**FLOW, "norm": "batch"}, r"outputs and sgd know no \['norm'\]"),
        (
            {
                **{k: v for k, v in FLOW.items() if k != "momentum"},
                "optimizer": "langevin",
                "damping": 1.0,
                "temperature": 1.0,
            },
            "taken by sgd, or langevin at temperature 0",
        ),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    with pytest.raises(ValueError, match=message):
        outputs.read(recipe)


def test_a_budget_that_does_not_fit():
    with pytest.raises(ValueError, match="steps must be a multiple of the epochs, 7, got 60"):
        train([replica("printed", 0)], epochs=7)
    with pytest.raises(ValueError, match=r"outputs knows no extras and no data, got \['x'\]"):
        train([replica("printed", 0)], extras=("x",))

"""The metrics against their definitions, exact permutation means, and cases worked by hand."""

import itertools
import math

import pandas as pd
import pytest
import scipy.optimize
import torch

from physnn.lab import metrics


def outputs(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_accuracy_and_nll_of_a_case_worked_by_hand():
    f = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]).log1p()  # odds of 3:1, 1:2, 4:1
    labels = torch.tensor([0, 1, 1])
    assert metrics.accuracy(f, labels).item() == pytest.approx(2 / 3)
    expected = -(math.log(3 / 4) + math.log(2 / 3) + math.log(1 / 5)) / 3
    assert metrics.nll(f, labels).item() == pytest.approx(expected)


def test_ece_of_a_case_worked_by_hand():
    """Confidences .95, .95, .55, .55 one right in each pair: gaps of .45 and .05, for half the samples each."""
    confidence = torch.tensor([0.95, 0.95, 0.55, 0.55], dtype=torch.float64)
    f = torch.stack([confidence, 1 - confidence], 1).log()
    assert metrics.ece(f, torch.tensor([0, 1, 0, 1]), bins=10).item() == pytest.approx((0.45 + 0.05) / 2)


def test_ece_equals_its_definition_and_every_metric_takes_replicas():
    f, labels = 3 * outputs(4, 200, 10), torch.arange(200) % 10
    for name in ("accuracy", "nll", "ece", "fit_scale"):
        function = getattr(metrics, name)
        together = function(f, labels)
        assert together.shape == (4,)
        alone = torch.stack([function(one, labels) for one in f])
        torch.testing.assert_close(together, alone)
    confidence, predicted = f[0].softmax(-1).max(-1)
    expected = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            right = (predicted[inside] == labels[inside]).double().mean()
            expected += inside.double().mean() * (right - confidence[inside].mean()).abs()
    assert metrics.ece(f[0], labels).item() == pytest.approx(expected.item())


def scaled(seed=1):
    """Outputs that are right more often than not, and their labels."""
    f, labels = outputs(3000, 5, seed=seed), torch.randint(5, (3000,), generator=torch.Generator().manual_seed(seed))
    f[torch.arange(3000), labels] += 2
    return f, labels


def test_the_scale_is_that_of_scipys_minimizer():
    f, labels = scaled()
    nll = scipy.optimize.minimize_scalar(
        lambda power: metrics.nll(math.exp(power) * f, labels).item(), bounds=(-5, 5), options={"xatol": 1e-9}
    )
    assert metrics.fit_scale(f, labels).item() == pytest.approx(math.exp(nll.x), rel=1e-5)
    assert metrics.fit_scale(f.float(), labels).item() == pytest.approx(math.exp(nll.x), rel=1e-4)


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 100, 1e30])
def test_the_scale_undoes_a_scale(factor):
    f, labels = (part.float() if part.is_floating_point() else part for part in scaled())
    expected = metrics.fit_scale(f, labels).item() / factor
    assert metrics.fit_scale(factor * f, labels).item() == pytest.approx(expected, rel=1e-4)


def test_the_scale_at_the_ends_of_its_range():
    f, labels = scaled()
    size = (f - f[torch.arange(3000), labels][:, None]).abs().mean()
    assert metrics.fit_scale(-f, labels).item() == pytest.approx(1e-4 / size.item(), rel=1e-3)  # worse than chance
    right = f[f.argmax(-1) == labels]
    scale = metrics.fit_scale(right, labels[f.argmax(-1) == labels])  # no minimum
    assert scale.isfinite() and metrics.nll(scale * right, labels[f.argmax(-1) == labels]) < 1e-5
    assert metrics.fit_scale(torch.full((4, 3), 7.0), torch.zeros(4, dtype=torch.long)) == 1  # tells nothing


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["accuracy", "nll", "ece", "fit_scale"])
def test_a_diverged_replica_is_nan_and_the_others_are_untouched(name, bad):
    f, labels = scaled()
    function, pair = getattr(metrics, name), torch.stack([f, f])
    pair[0, 17, 3] = bad
    values = function(pair, labels)
    assert values[0].isnan() and values[1] == function(f, labels)


@pytest.mark.parametrize(("shape", "dims"), [((2, 3), 2), ((6,), 1), ((1, 5), 2)])
def test_means_over_all_permutations(shape, dims):
    """-1/(n-1) for Moran's I, 1 for Geary's C: exactly, over all orders of the values."""
    values = outputs(math.prod(shape), seed=3)
    orders = torch.tensor(list(itertools.permutations(range(len(values)))))
    fields = values[orders].reshape(-1, *shape)
    assert metrics.moran(fields, dims).mean().item() == pytest.approx(-1 / (len(values) - 1))
    assert metrics.geary(fields, dims).mean().item() == pytest.approx(1.0)


def test_a_checkerboard_and_a_ramp():
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert metrics.moran(board).item() == pytest.approx(-1)
    assert metrics.geary(board).item() == pytest.approx(4 * 4 * 3 / (2 * 4 * 4))  # (n-1)/(2W) * sum of 8 pairs * 4 / 4
    assert metrics.dirichlet(board).item() == pytest.approx(4 * 4 / 4)
    ramp = torch.arange(5.0, dtype=torch.float64)
    assert metrics.dirichlet(ramp, 1).item() == pytest.approx(4 / 10)
    assert metrics.moran(ramp, 1).item() == pytest.approx(5 / 4 * (2 + 0 + 0 + 2) / 10)


def test_the_smoothest_and_the_roughest_chain():
    """The Rayleigh quotient is an eigenvalue of the chain's Laplacian: 2 - 2 cos(pi k / n) for its k-th cosine."""
    n = 10
    for k in (1, 9):
        mode = torch.cos(math.pi * k * (torch.arange(n, dtype=torch.float64) + 0.5) / n)
        assert metrics.dirichlet(mode, 1).item() == pytest.approx(2 - 2 * math.cos(math.pi * k / n))


def test_coherence_knows_no_offset_and_no_factor():
    f = outputs(3, 6, 7)
    for function in (metrics.moran, metrics.geary, metrics.dirichlet):
        torch.testing.assert_close(function(5 - 3 * f), function(f))


@pytest.mark.parametrize("function", [metrics.moran, metrics.geary, metrics.dirichlet])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_field_has_no_coherence(function, dtype):
    """Even where the mean of equal values is not that value, as of 0.1 in many sizes."""
    fields = torch.full((50, 7, 9), 0.1, dtype=dtype) * torch.arange(50, dtype=dtype)[:, None, None]
    assert function(fields).isnan().all()
    fields[1:, 0, 0] += 1
    assert function(fields)[0].isnan() and function(fields)[1:].isfinite().all()


def test_corruption_errors():
    errors = pd.Series({("blur", 1): 0.1, ("blur", 2): 0.3, ("noise", 1): 0.2, ("noise", 2): 0.6})
    assert metrics.corruption_error(errors) == pytest.approx((0.2 + 0.4) / 2)
    assert metrics.relative_corruption_error(errors, 0.05) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (pd.Series([0.1, 0.2]), "one value for each"),
        (pd.Series({("blur", 1): 0.1, ("blur", 2): float("nan")}), "a finite error at every severity"),
        (pd.Series({("blur", 1): 0.1, ("blur", 2): 0.3, ("noise", 1): 0.2}), "a finite error at every severity"),
        (pd.concat([pd.Series({("blur", 1): 0.1})] * 2), "one value for each"),
        (pd.Series({("blur", 1): 0.1})[:0], "one value for each"),
    ],
)
def test_incomplete_corruption_errors(errors, message):
    with pytest.raises(ValueError, match=message):
        metrics.corruption_error(errors)


def test_the_error_on_clean_images_is_finite():
    with pytest.raises(ValueError, match="must be finite, got nan"):
        metrics.relative_corruption_error(pd.Series({("blur", 1): 0.1}), float("nan"))


HISTORY = pd.DataFrame({"epoch": [0, 1, 2, 3], "accuracy": [0.1, 0.8, 0.95, 0.9]})


def test_epochs_to_threshold():
    assert metrics.epochs_to_threshold(HISTORY, "accuracy", 0.9) == (2, True)
    assert metrics.epochs_to_threshold(HISTORY[::-1], "accuracy", 0.95) == (2, True)
    assert metrics.epochs_to_threshold(HISTORY, "accuracy", 0.99) == (3, False)
    diverged = HISTORY.assign(accuracy=[0.1, 0.8, float("nan"), float("nan")])
    assert metrics.epochs_to_threshold(diverged, "accuracy", 0.9, budget=10) == (10, False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.epochs_to_threshold(HISTORY, "loss", 0.9), "'epoch' and 'loss'"),
        (lambda: metrics.epochs_to_threshold(HISTORY[:0], "accuracy", 0.9), "needs rows"),
        (lambda: metrics.epochs_to_threshold(pd.concat([HISTORY] * 2), "accuracy", 0.9), "several rows of one epoch"),
        (lambda: metrics.epochs_to_threshold(HISTORY, "accuracy", float("nan")), "threshold is NaN"),
        (lambda: metrics.epochs_to_threshold(HISTORY, "accuracy", 0.9, budget=2), "beyond the budget of 2"),
        (lambda: metrics.accuracy(outputs(4, 3), torch.zeros(5, dtype=torch.long)), r"got \(4, 3\) and \(5,\)"),
        (lambda: metrics.nll(outputs(4, 3), torch.full((4,), 3)), "from 0 to 2, got torch.int64 from 3 to 3"),
        (lambda: metrics.accuracy(outputs(4, 3), torch.zeros(4)), "got torch.float32"),
        (lambda: metrics.accuracy(outputs(0, 3), torch.zeros(0, dtype=torch.long)), r"got \(0, 3\)"),
        (lambda: metrics.ece(outputs(4, 3), torch.zeros(4, dtype=torch.long), bins=0), "at least 1, got 0"),
        (lambda: metrics.moran(torch.zeros(4, 1, 1)), "neighbours"),
        (lambda: metrics.dirichlet(torch.zeros(4, 4, dtype=torch.long)), "floats with neighbours, got torch.int64"),
        (lambda: metrics.geary(torch.zeros(4, 4, 4), dims=3), "dims=3"),
        (lambda: metrics.geary(torch.zeros(4)), r"dims=2, \(4,\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

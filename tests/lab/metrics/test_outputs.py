"""Accuracy, calibration and scale against their definitions, and cases worked by hand."""

import math

import pytest
import scipy.optimize
import torch

from physnn.lab.metrics import outputs as metrics


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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.accuracy(outputs(4, 3), torch.zeros(5, dtype=torch.long)), r"got \(4, 3\) and \(5,\)"),
        (lambda: metrics.nll(outputs(4, 3), torch.full((4,), 3)), "from 0 to 2, got torch.int64 from 3 to 3"),
        (lambda: metrics.accuracy(outputs(4, 3), torch.zeros(4)), "got torch.float32"),
        (lambda: metrics.accuracy(outputs(0, 3), torch.zeros(0, dtype=torch.long)), r"got \(0, 3\)"),
        (lambda: metrics.ece(outputs(4, 3), torch.zeros(4, dtype=torch.long), bins=0), "at least 1, got 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["accuracy", "nll", "ece", "fit_scale"])
def test_a_replica_with_an_output_that_is_not_finite_has_no_value_and_the_others_keep_theirs(name, lost):
    f, labels = outputs(3, 40, 10), torch.arange(40) % 10
    function = getattr(metrics, name)
    expected = function(f, labels)
    f[1, 7, 3] = lost  # neither its label's nor, where it is -inf, its largest
    found = function(f, labels)
    assert found[1].isnan()
    torch.testing.assert_close(found[[0, 2]], expected[[0, 2]])

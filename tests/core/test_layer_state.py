"""The positions of a layer are right, or refused, however the layer was made, copied, averaged, cast and loaded."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from physnn import DynamicLinear, ExperimentalLayer
from physnn.layer import COMPUTED, POSITIONS


def layer(position, **options):
    return DynamicLinear(6, 4, position=position, bias=True, **options)


def x():
    return torch.randn(3, 6, generator=torch.Generator().manual_seed(0))


def on_meta(position):
    with torch.device("meta"):
        return layer(position)


def emptied(position):
    """Return a layer whose memory holds nothing of use."""
    empty = on_meta(position).to_empty(device="cpu")
    with torch.no_grad():
        for tensor in [*empty.parameters(), *empty.buffers()]:
            tensor.fill_(77)
    return empty


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        on_meta, emptied, layer,
        lambda position: layer(position, device="meta"),
        lambda position: nn.utils.skip_init(DynamicLinear, 6, 4, position=position, bias=True),
    ],
    ids=["meta", "to_empty", "plain", "device", "skip_init"],
)  # fmt: skip
def test_a_loaded_layer_is_the_one_that_was_saved(position, assign, make):
    saved, loaded = layer(position), make(position)
    if not assign and any(p.is_meta for p in loaded.parameters()):
        loaded.to_empty(device="cpu")
    loaded.load_state_dict(saved.state_dict(), assign=assign)
    assert torch.equal(loaded(x()), saved(x())) and torch.equal(loaded.position, saved.position)


@pytest.mark.parametrize("position", POSITIONS)
def test_what_was_made_without_memory_can_be_started(position):
    made = emptied(position)
    made.reset_parameters()
    assert torch.equal(made.position.float().sort().values, layer(position).position.float().sort().values)
    meta = on_meta(position)
    meta.reset_parameters()
    assert meta(torch.empty(2, 6, device="meta")).shape == (2, 4)


@pytest.mark.parametrize("position", COMPUTED)
def test_a_computed_position_is_nowhere_to_be_lost(position):
    made = emptied(position)
    assert torch.equal(made.position, layer(position).position)
    assert "position" not in dict(made.named_buffers()) | dict(made.named_parameters())
    for change in (lambda: setattr(made, "position", torch.zeros(6)), lambda: setattr(made, "position", None)):
        with pytest.raises(AttributeError, match=f"position='{position}' is computed and cannot be set"):
            change()


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_cast_changes_no_position(position, dtype):
    cast = layer(position).to(dtype)
    assert cast(x().to(dtype)).dtype == dtype
    back = copy.deepcopy(cast).float()
    assert torch.equal(back.position.sort().values, layer(position).position.sort().values)


@pytest.mark.parametrize("position", POSITIONS)
def test_copies(position):
    saved = layer(position)
    expected = saved(x())
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    buffer.seek(0)
    for copied in (
        copy.deepcopy(saved), copy.copy(saved), pickle.loads(pickle.dumps(saved)),
        torch.load(buffer, weights_only=False),
    ):  # fmt: skip
        assert torch.equal(copied(x()), expected) and repr(copied) == repr(saved)


@pytest.mark.parametrize("position", POSITIONS)
def test_a_saved_state_is_read_by_the_safe_loader_and_knows_its_position(position):
    buffer = io.BytesIO()
    saved = nn.Sequential(layer(position))
    torch.save(saved.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    assert state._metadata["0"]["position"] == position
    loaded = nn.Sequential(layer(position))
    loaded.load_state_dict(state)
    assert torch.equal(loaded(x()), saved(x()))


@pytest.mark.parametrize("saved", POSITIONS)
@pytest.mark.parametrize("own", POSITIONS)
@pytest.mark.parametrize("strict", [True, False])
def test_the_state_of_another_position_is_refused(saved, own, strict):
    state = nn.Sequential(layer(saved)).state_dict()
    loaded = nn.Sequential(layer(own))
    if saved == own:
        loaded.load_state_dict(state, strict=strict)
        return
    before = {name: value.clone() for name, value in loaded.state_dict().items()}
    with pytest.raises(RuntimeError, match=f"0.position: the state is of a layer with position='{saved}'"):
        loaded.load_state_dict(state, strict=strict)
    assert all(torch.equal(value, before[name]) for name, value in loaded.state_dict().items())


@pytest.mark.parametrize("saved", POSITIONS)
@pytest.mark.parametrize("own", POSITIONS)
def test_a_state_without_a_record_is_judged_by_what_it_holds(saved, own):
    """As states were before positions were recorded, and as safetensors leaves them."""
    state, loaded = dict(layer(saved).state_dict()), layer(own)
    if saved == own or {saved, own} <= set(COMPUTED):
        loaded.load_state_dict(state)
        assert torch.equal(loaded.weight, state["weight"])
        return
    with pytest.raises(RuntimeError, match="position"):
        loaded.load_state_dict(state)
    if "position" in state:
        with pytest.raises(RuntimeError, match="the state is of a layer with"):
            loaded.load_state_dict(state, strict=False)


def test_the_printed_class_and_older_states_load():
    post = ExperimentalLayer(6, 4, 0.3)
    loaded = DynamicLinear(6, 4)
    loaded.load_state_dict({"weight": post.w, "beta": post.beta, "t": post.t})
    assert torch.equal(loaded(x()), post(x()))
    again = ExperimentalLayer(6, 4, 0.0)
    again.load_state_dict(post.state_dict())
    assert list(post.state_dict()) == ["w", "beta", "t"] and torch.equal(again(x()), post(x()))


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("use_buffers", [True, False])
def test_the_average_of_a_layer_that_does_not_change_is_that_layer(position, use_buffers):
    """Or it is refused: the mean of whole numbers, rounded toward zero at each update, is no order."""
    torch.manual_seed(0)
    module = DynamicLinear(784, 4, position=position)
    average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.9999), use_buffers=use_buffers)
    data = torch.rand(3, 784)
    average(data)  # found right here, and to be looked at again below
    for _ in range(10):
        average.update_parameters(module)
    if position == "permuted" and use_buffers:
        with pytest.raises(RuntimeError, match=r"no order of 0\.\.783.*use_buffers=True"):
            average(data)
        average.module.position.copy_(module.position)
    torch.testing.assert_close(average(data), module(data), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda order: order.fill_(3), lambda order: order.add_(1), lambda order: order.neg_(),
        lambda order: order[0].copy_(order[1]), lambda order: order.zero_(),
    ],
    ids=["constant", "shifted", "negative", "doubled", "zero"],
)  # fmt: skip
@pytest.mark.parametrize("looked", [True, False])
def test_a_buffer_that_is_no_order_is_refused(spoil, looked):
    permuted = layer("permuted")
    if looked:
        permuted(x())
    spoil(permuted.position)
    for spoilt in (permuted, copy.deepcopy(permuted), pickle.loads(pickle.dumps(permuted))):
        for _ in range(2):  # not only once
            with pytest.raises(RuntimeError, match=r"no order of 0\.\.5: .*reset_parameters\(\)"):
                spoilt(x())
        spoilt.reset_parameters()
        assert spoilt(x()).isfinite().all()


@pytest.mark.parametrize(
    "value", [torch.arange(6.0), torch.arange(5), torch.zeros(6, dtype=torch.int64), torch.ones(2, 3)]
)
def test_an_order_that_was_put_there_is_looked_at(value):
    permuted = layer("permuted")
    permuted(x())
    permuted.position = value
    with pytest.raises(RuntimeError, match=r"no order of 0\.\.5"):
        permuted(x())
    permuted.position = torch.tensor([5, 3, 1, 0, 2, 4])
    permuted(x())
    permuted.position.data = torch.zeros(6, dtype=torch.int64)  # counts as no write
    with pytest.raises(RuntimeError, match=r"no order of 0\.\.5"):
        permuted(x())
    permuted.position.data = torch.arange(6)
    assert permuted(x()).isfinite().all()


def test_an_order_is_looked_at_once(monkeypatch):
    permuted, looks = layer("permuted"), []
    equal = torch.equal
    monkeypatch.setattr(torch, "equal", lambda *tensors: looks.append(1) or equal(*tensors))
    for _ in range(3):
        permuted(x())
    assert len(looks) == 1


def test_in_inference_mode():
    """Tensors made there count no writes: an order among them is looked at every time."""
    with torch.inference_mode():
        permuted = layer("permuted")
        permuted(x())
        permuted.position.fill_(1)
        with pytest.raises(RuntimeError, match="no order"):
            permuted(x())


@pytest.mark.parametrize("position", POSITIONS)
def test_making_a_layer_draws_what_it_drew(position):
    """The weights, and the order if there is one, from the global generator: recorded runs depend on it."""
    torch.manual_seed(5)
    made, after = layer(position), torch.rand(1)
    torch.manual_seed(5)
    weight = nn.init.xavier_normal_(torch.empty(4, 6))
    order = torch.randperm(6) if position == "permuted" else None
    assert torch.equal(made.weight, weight) and torch.equal(after, torch.rand(1))
    assert order is None or torch.equal(made.position, order)

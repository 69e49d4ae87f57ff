"""Two processes that talk: replicas, partitions of one optimizer, checkpoints that several write, and shards."""

import copy
import datetime
import traceback
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from torch import distributed, nn

from physnn import Langevin

pytestmark = pytest.mark.skipif(
    not (distributed.is_available() and distributed.is_gloo_available()), reason="this torch has no gloo"
)
OPTIONS = {"lr": 0.1, "damping": 0.3, "temperature": 0.1}
SETTINGS = [
    {"scheme": "post"},
    {"scheme": "gjf", "noise": "two-point"},
    {"scheme": "baoa", "noise": "byte-sum", "foreach": False},
]


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def replica():
    return nn.parallel.DistributedDataParallel(model())


def noise(seed):
    return torch.Generator().manual_seed(seed)


def train(network, optimizer, steps, start=0):
    """Take steps, each rank on inputs of its own."""
    for step in range(start, start + steps):
        inputs = torch.randn(5, 4, generator=noise(100 * step + distributed.get_rank()))
        optimizer.zero_grad()
        network(inputs).square().mean().backward()
        optimizer.step()
    return values(network)


def values(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def replicas_seeded_apart(folder):
    network = replica()
    torch.manual_seed(distributed.get_rank())
    optimizer = Langevin(network.parameters(), **OPTIONS)
    before = values(network)
    try:
        train(network, optimizer, 1)
    except RuntimeError as error:
        return str(error), torch.equal(values(network), before)
    return None, None


def replicas_without_noise(folder):
    network = replica()
    torch.manual_seed(distributed.get_rank())
    return train(network, Langevin(network.parameters(), lr=0.1, damping=0.3), 3)


def replicas_seeded_alike(folder):
    ends = []
    for setting in SETTINGS:
        network = replica()
        ends.append(train(network, Langevin(network.parameters(), **OPTIONS, **setting, generator=noise(5)), 3))
        network = replica()
        optimizer = Langevin(network.parameters(), **OPTIONS, **setting)
        optimizer.reseed(5)
        ends.append(train(network, optimizer, 3))
    return ends


def chains(folder):
    network = model()
    return train(network, Langevin(network.parameters(), **OPTIONS, generator=noise(distributed.get_rank())), 3)


def checkpoint(folder):
    """Save after 2 steps with torch.distributed.checkpoint, load into new objects, and take 2 more with both."""
    from torch.distributed import checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

    ends = []
    for i, setting in enumerate(SETTINGS):
        for flat in (False, True):
            how = StateDictOptions(flatten_optimizer_state_dict=flat)
            network = replica()
            optimizer = Langevin(network.parameters(), **OPTIONS, **setting, generator=noise(5))
            train(network, optimizer, 2)
            place = str(folder / f"{i}-{flat}")
            dcp.save(dict(zip("mo", get_state_dict(network, optimizer, options=how), strict=True)), checkpoint_id=place)
            end = train(network, optimizer, 2, start=2)
            network = replica()
            optimizer = Langevin(network.parameters(), **OPTIONS, **setting, generator=noise(6))
            state = dict(zip("mo", get_state_dict(network, optimizer, options=how), strict=True))
            dcp.load(state, checkpoint_id=place)
            set_state_dict(network, optimizer, model_state_dict=state["m"], optim_state_dict=state["o"], options=how)
            ends.append((setting, flat, torch.equal(train(network, optimizer, 2, start=2), end)))
    return ends


def partitions(folder):
    """Save what two ranks hold of one optimizer, load it into a new one, and take 2 more steps with both."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    def make(seed):
        network = replica()
        generator = noise(seed + distributed.get_rank())
        return network, ZeroRedundancyOptimizer(network.parameters(), Langevin, **OPTIONS, generator=generator)

    network, optimizer = make(5)
    train(network, optimizer, 2)
    optimizer.consolidate_state_dict(to=0)
    saved = [None]
    if distributed.get_rank() == 0:
        state = optimizer.state_dict()
        saved = [{**state, "state": copy.deepcopy(state["state"])}]  # ZeroRedundancyOptimizer would share it
    distributed.broadcast_object_list(saved, src=0)
    parameters = [p.detach().clone() for p in network.parameters()]
    end = train(network, optimizer, 2, start=2)
    network, optimizer = make(7)
    with torch.no_grad():
        for p, value in zip(network.parameters(), parameters, strict=True):
            p.copy_(value)
    state = saved[0]
    kept = sorted(key for key, value in state["state"].items() if "velocity" in value)
    optimizer.load_state_dict(state)
    return sorted(state), kept, end, train(network, optimizer, 2, start=2)


def partitions_without_noise(folder):
    from torch.distributed.optim import ZeroRedundancyOptimizer

    network = replica()
    optimizer = ZeroRedundancyOptimizer(network.parameters(), Langevin, lr=0.1, damping=0.3)
    end = train(network, optimizer, 3)
    network = replica()
    return end, train(network, Langevin(network.parameters(), lr=0.1, damping=0.3), 3)


def shards(folder):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    network = model()
    fully_shard(network, mesh=init_device_mesh("cpu", (distributed.get_world_size(),)))
    try:
        Langevin(network.parameters(), **OPTIONS)
    except TypeError as error:
        return str(error)
    return None


SCENES = [
    replicas_seeded_apart,
    replicas_without_noise,
    replicas_seeded_alike,
    chains,
    checkpoint,
    partitions,
    partitions_without_noise,
    shards,
]


def play(rank: int, folder: Path) -> None:
    """Run every scene in one of two processes; save what each returned, or how it failed."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=(folder / "meeting").as_uri(),
        rank=rank,
        world_size=2,
        timeout=datetime.timedelta(seconds=60),  # a rank that waits for one that failed
    )
    results = {}
    for scene in SCENES:
        try:
            results[scene.__name__] = scene(folder)
        except Exception:
            results[scene.__name__] = traceback.format_exc()
    torch.save(results, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return a function that gives, by the name of a scene, what it returned in each process."""
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(play, (folder,), nprocs=2)
    saved = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]

    def of(scene):
        both = [results[scene.__name__] for results in saved]
        failed = [result for result in both if isinstance(result, str) and result.startswith("Traceback")]
        assert not failed, failed[0]
        return both

    return of


def test_replicas_seeded_apart_are_refused_before_anything_moves(results):
    for message, unmoved in results(replicas_seeded_apart):
        assert message is not None and "generator" in message and "drift apart" in message
        assert "ZeroRedundancyOptimizer" in message
        assert unmoved


def test_replicas_without_noise_stay_together(results):
    assert torch.equal(*results(replicas_without_noise))


def test_replicas_seeded_alike_stay_together_bit_for_bit(results):
    for first, second in zip(*results(replicas_seeded_alike), strict=True):
        assert torch.equal(first, second)


def test_a_seed_and_a_generator_with_that_seed_are_one(results):
    ends = results(replicas_seeded_alike)[0]
    assert all(torch.equal(*pair) for pair in zip(ends[::2], ends[1::2], strict=True))
    assert not any(torch.equal(a, b) for a, b in pairwise(ends[::2]))


def test_chains_seeded_apart_are_let_go_their_ways(results):
    assert not torch.equal(*results(chains))


def test_a_distributed_checkpoint_resumes_bit_for_bit(results):
    for ends in results(checkpoint):
        assert [(setting, flat) for setting, flat, same in ends if not same] == []


def test_a_partitioned_optimizer_resumes_bit_for_bit(results):
    """Each rank holds the velocities of its own parameters, and noise of its own: all of it is saved and comes back."""
    for keys, kept, end, again in results(partitions):
        assert keys == ["param_groups", "state"]
        assert kept == [0, 1, 2, 3]
        torch.testing.assert_close(again, end, rtol=0, atol=0)
    assert torch.equal(*(end for _, _, end, _ in results(partitions)))


def test_a_partitioned_optimizer_takes_the_steps_of_a_whole_one(results):
    for end, whole in results(partitions_without_noise):
        torch.testing.assert_close(end, whole, rtol=1e-6, atol=1e-7)


def test_shards_of_a_parameter_are_refused_by_name(results):
    for message in results(shards):
        assert message is not None and "DTensor" in message and "FSDP2" in message

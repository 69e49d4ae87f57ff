"""Several chains at once: networks of one architecture as one module, whose parameters have a first axis of chains."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

PLAIN = (bool, int, float, str, tuple, type(None))  # kinds of attributes that are compared


class Chains(nn.Module):
    r"""K networks of one architecture that one optimizer moves, without touching each other.

    .. math::
        L = \sum_{k=1}^K L(\theta_k), \qquad e^{-L/T} = \prod_{k=1}^K e^{-L(\theta_k)/T}

    A step on the *sum* of the chains' losses is a step of each on its own, at the temperature that is set; on their
    mean, each would feel its loss at K times that. The noise of :class:`physnn.Langevin` is independent in every value,
    and so from chain to chain; the seed of its generator fixes that of all. Minibatches that all chains share add to
    all of them the same: give each its own, with ``own``, where that matters. A :class:`physnn.Thermometer` reads all
    chains together.

    Args:
        networks: at least one. They are copied, and differ in nothing but the numbers that their parameters and
            buffers hold. One that draws random numbers as it runs (a Dropout in training) is refused then.

    Attributes:
        network: the one whose parameters and buffers, of shape (K, ...), hold those of all, under their own names.

    Parameters have the names of the network behind ``network.``, so that groups of them can be given options of their
    own, and ``state_dict``, ``to`` and the rest are any module's. ``len`` is K.

    Raises:
        ValueError: there is no network, it has no parameters, or they are not alike.
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        several = list(networks)
        _check_alike(several)
        params, buffers = stack_module_state(several)
        stacked = {name: nn.Parameter(p.detach(), requires_grad=p.requires_grad) for name, p in params.items()}
        self.network = _with(several[0], {**stacked, **{name: buffer.detach() for name, buffer in buffers.items()}})
        self.training = several[0].training

    @classmethod
    def seeded(cls, make: Callable[[], nn.Module], seeds: Iterable[int]) -> "Chains":
        """Make a network for each seed, with torch's global generator at that seed; it is put back afterwards.

        Raises:
            ValueError: a seed comes twice: two chains would start at one point.
        """
        given = list(seeds)
        if len(set(given)) < len(given):
            raise ValueError(f"seeds must differ, or chains start at one point; got {given}")
        networks = []
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            for seed in given:
                torch.manual_seed(seed)
                networks.append(make())
        return cls(networks)

    def __len__(self) -> int:
        return len(next(self.parameters()))

    def forward(self, *inputs: Tensor, own: bool = False) -> Tensor:
        """Map inputs, the same for all chains, to outputs of shape (K, ...).

        With ``own`` each chain has inputs of its own: of shape (K, ...).

        Raises:
            ValueError: their first axis is not that of the chains, or the network draws random numbers.
        """
        return self._each(lambda network, *given: network(*given), inputs, own)

    def losses(self, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor, *, own: bool = False) -> Tensor:
        """Return each chain's loss, of shape (K,): take the gradient of their sum.

        Args:
            loss: a function of one network's outputs and of targets that returns a scalar, a mean over the data.
            x, y: inputs and targets, the same for all chains; with ``own`` of shape (K, ...), each chain's own.

        Raises:
            ValueError: the loss is no scalar, or what ``forward`` raises.
        """
        values = self._each(lambda network, x, y: loss(network(x), y), (x, y), own)
        if values.shape != (len(self),):
            raise ValueError(
                f"the loss of a chain must be a scalar, got one of shape {tuple(values.shape[1:])}: take its mean over "
                "the data"
            )
        return values

    def chain(self, index: int) -> nn.Module:
        """Return one chain's network, by itself: a copy, with the parameters that it has now.

        Raises:
            IndexError: there is no such chain.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} chains, got index {index}")
        params: dict[str, Tensor] = {
            name: nn.Parameter(p.detach()[index].clone(), requires_grad=p.requires_grad)
            for name, p in self.network.named_parameters()
        }
        return _with(self.network, {**params, **{name: b[index].clone() for name, b in self.network.named_buffers()}})

    def _each(self, run: Callable[..., Tensor], inputs: tuple[Tensor, ...], own: bool) -> Tensor:
        if own and any(not data.dim() or len(data) != len(self) for data in inputs):
            shapes = ", ".join(str(tuple(data.shape)) for data in inputs)
            raise ValueError(
                f"with own=True the first axis is that of the {len(self)} chains, got shapes {shapes}; without it all "
                "chains are shown the same"
            )
        params: dict[str, Tensor] = dict(self.network.named_parameters())
        buffers = dict(self.network.named_buffers())

        def one(params: dict[str, Tensor], buffers: dict[str, Tensor], *given: Tensor) -> Tensor:
            return run(lambda *x: functional_call(self.network, (params, buffers), x), *given)

        try:
            outputs: Tensor = vmap(one, (0, 0, *(0 if own else None for _ in inputs)))(params, buffers, *inputs)
        except RuntimeError as error:
            if "randomness" not in str(error):
                raise
            raise ValueError(
                f"{type(self.network).__name__} draws random numbers (a Dropout in training does), and the chains "
                "would sample no law that is known: call eval(), or leave the layer out"
            ) from error
        return outputs

    def extra_repr(self) -> str:
        return f"chains={len(self)}"


def _with(network: nn.Module, tensors: dict[str, Any]) -> nn.Module:
    """Return a copy of a network with other parameters and buffers, also where one has several names."""
    made = copy.deepcopy(network)
    old = {**dict(made.named_parameters()), **dict(made.named_buffers())}
    new = {id(tensor): tensors[name] for name, tensor in old.items()}
    for part in made.modules():
        for held in (part._parameters, part._buffers):
            held.update({name: new[id(tensor)] for name, tensor in held.items() if tensor is not None})
    return made


def _check_alike(networks: list[nn.Module]) -> None:
    """Raise if networks differ in more than the numbers of their parameters and buffers."""
    if not networks:
        raise ValueError("there must be at least one network, got none")
    first = _described(networks[0])
    if next(networks[0].parameters(), None) is None:
        raise ValueError(f"a {type(networks[0]).__name__} has no parameters: there is nothing to sample")
    for i, network in enumerate(networks[1:], 1):
        other = _described(network)
        for name in {**first, **other}:
            one, two = first.get(name, "absent"), other.get(name, "absent")
            if one != two:
                raise ValueError(
                    f"chains must be networks that differ in the numbers of their parameters and buffers alone, but "
                    f"{name} is {one} in the first and {two} in that of index {i}"
                )


def _described(network: nn.Module) -> dict[str, str]:
    """Return what networks of one architecture have in common: kinds, plain attributes and shapes."""
    found: dict[str, str] = {}
    for path, part in network.named_modules():
        found[f"the class of {path or 'the network'}"] = type(part).__name__
        plain = {name: value for name, value in vars(part).items() if isinstance(value, PLAIN) and name[0] != "_"}
        found |= {f"{path}.{name}".lstrip("."): repr(value) for name, value in plain.items()}
    for name, tensor in {**dict(network.named_parameters()), **dict(network.named_buffers())}.items():
        trained = "trained" if tensor.requires_grad else "not trained"
        found[name] = f"{tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}, {trained}"
    return found

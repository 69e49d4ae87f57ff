"""Draws of chains: what a model is after every so many steps of its optimizer, kept, checked and handed on."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from physnn.chains import Chains


class Samples:
    r"""Draws from a chain, or from several at once: what a model is after every so many steps of its optimizer.

    .. code-block:: python

        samples = Samples(model, burn_in=1000, thin=10, readout=lambda model: {"outputs": model(x)})
        for ... in ...:
            ...
            optimizer.step()
            samples.step()

    After n calls of ``step`` there are ``max(0, (n - burn_in) // thin)`` draws, the first one ``thin`` steps after the
    burn-in. They are copies on the CPU, in the types that they had.

    Args:
        model: any module, or :class:`physnn.Chains`, whose first axis is that of the chains.
        burn_in: steps before the first draw can be taken, at least 0.
        thin: steps from one draw to the next, at least 1.
        readout: a function of the model that returns what else to keep, tensors by their names; it is called without
            gradients, and finds the model in the mode in which it is. Of ``Chains`` each has their first axis.
        parameters: keep the parameters that are trained; without them there are the readouts alone, and no ``predict``.

    ``samples["outputs"]``, or the name of a parameter, is a tensor of shape (chains, draws, ...), of one chain without
    :class:`physnn.Chains`; ``draws()`` is the dictionary of all, as ArviZ takes it. ``len`` is the number of draws of a
    chain. With the states of model, optimizer and samples, a run that was stopped goes on bit for bit.

    Raises:
        ValueError: an option is outside its range, or there is nothing to keep.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        burn_in: int,
        thin: int = 1,
        readout: Callable[[Any], Mapping[str, Tensor]] | None = None,
        parameters: bool = True,
    ) -> None:
        for name, value, least in (("burn_in", burn_in, 0), ("thin", thin, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of steps, at least {least}, got {value!r}")
        if readout is None and not (parameters and any(p.requires_grad for p in model.parameters())):
            raise ValueError("there is nothing to keep: give a readout, or parameters that are trained")
        self.model, self.burn_in, self.thin = model, burn_in, thin
        self.readout, self.parameters, self.steps = readout, parameters, 0
        self._kept: dict[str, list[Tensor]] = {}

    def __len__(self) -> int:
        return len(next(iter(self._kept.values()), ()))

    @torch.no_grad()
    def step(self) -> bool:
        """Count a step of the optimizer, which has just been taken; return whether it gave a draw.

        Raises:
            FloatingPointError: a value is not finite: nothing is kept, and the step is not counted.
            TypeError: the readout gives something else than tensors.
            ValueError: what it gives lacks the axis of the chains, or is not what it was before.
        """
        after = self.steps + 1 - self.burn_in
        due = after > 0 and after % self.thin == 0
        if due:
            draw = dict(self._draw())
            self._check(draw)
            for name, value in draw.items():
                self._kept.setdefault(name, []).append(value.to("cpu", copy=True))
        self.steps += 1
        return due

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._kept:
            raise KeyError(f"there are no draws of {name!r}; there are of {', '.join(self._kept) or 'nothing yet'}")
        several = self._kept[name]
        return torch.stack(several, 1) if self._chains else torch.stack(several).unsqueeze(0)

    def draws(self) -> dict[str, Tensor]:
        """Return all that was kept by its name, of shape (chains, draws, ...).

        It is what ``arviz.from_dict`` takes: in ArviZ 0 as its argument ``posterior``, and in ArviZ 1 in a dictionary,
        under ``"posterior"``.

        Raises:
            ValueError: there is no draw yet.
        """
        if not self._kept:
            raise ValueError(
                f"there is no draw yet: {self.steps} steps were counted, and the first comes after "
                f"burn_in + thin = {self.burn_in + self.thin}. Call samples.step() after optimizer.step()"
            )
        return {name: self[name] for name in self._kept}

    @torch.no_grad()
    def predict(self, *inputs: Tensor) -> Tensor:
        """Return the model's outputs with the parameters of every draw, of shape (chains, draws, ...).

        Parameters that are not trained, and buffers, are those that the model has now, and so is its mode.

        Raises:
            ValueError: no parameters were kept, or there is no draw yet.
        """
        if not self.parameters:
            raise ValueError("parameters=False kept no parameters: keep them, or predict in the readout")
        self.draws()
        outputs = []
        for i in range(len(self)):
            params = {name: self._kept[name][i].to(p.device) for name, p in self._trained()}
            outputs.append(functional_call(self.model, params, inputs))
        return torch.stack(outputs, 1) if self._chains else torch.stack(outputs).unsqueeze(0)

    def state_dict(self) -> dict[str, Any]:
        """Return the draws, of shape (draws, ...), with the number of steps and what says which are taken."""
        draws = {name: torch.stack(several) for name, several in self._kept.items()}
        return {"steps": self.steps, "burn_in": self.burn_in, "thin": self.thin, "draws": draws}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what ``state_dict`` returned, in the place of what was kept so far.

        Raises:
            ValueError: it has another burn-in or thinning, is of other parameters, or holds what is not finite.
        """
        for name, own in (("burn_in", self.burn_in), ("thin", self.thin)):
            if state_dict[name] != own:
                raise ValueError(f"the state was made with {name}={state_dict[name]}, and this has {name}={own}")
        draws: dict[str, Tensor] = dict(state_dict["draws"])
        for name, p in self._trained() if draws else ():
            if name not in draws or draws[name].shape[1:] != p.shape:
                held = tuple(draws[name].shape[1:]) if name in draws else "none"
                raise ValueError(f"the model's {name} has shape {tuple(p.shape)}, but that of the state {held}")
        if wrong := [name for name, several in draws.items() if not several.isfinite().all()]:
            raise ValueError(f"the state holds values of {', '.join(wrong)} that are not finite: it is damaged")
        self.steps = state_dict["steps"]
        self._kept = {name: [*several.to("cpu", copy=True).unbind()] for name, several in draws.items()}

    @property
    def _chains(self) -> int:
        """The number of chains of a first axis; 0 where there is none."""
        return len(self.model) if isinstance(self.model, Chains) else 0

    def _trained(self) -> Iterator[tuple[str, Tensor]]:
        if self.parameters:
            yield from ((name, p.detach()) for name, p in self.model.named_parameters() if p.requires_grad)

    def _draw(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._trained()
        for name, value in ({} if self.readout is None else self.readout(self.model)).items():
            if name in dict(self.model.named_parameters()):
                raise ValueError(f"the readout's {name!r} is the name of a parameter: give it another")
            if not isinstance(value, Tensor):
                raise TypeError(f"the readout must give tensors by their names, got {value!r} for {name!r}")
            if self._chains and (not value.dim() or len(value) != self._chains):
                raise ValueError(
                    f"the readout's {name!r} must have the first axis of the {self._chains} chains, got shape "
                    f"{tuple(value.shape)}"
                )
            yield name, value

    def _check(self, draw: Mapping[str, Tensor]) -> None:
        if self._kept and draw.keys() != self._kept.keys():
            raise ValueError(f"there are draws of {', '.join(self._kept)}, but this one has {', '.join(draw)}")
        for name, value in draw.items():
            if self._kept and (value.shape, value.dtype) != (self._kept[name][0].shape, self._kept[name][0].dtype):
                before, now = (f"{v.dtype} of shape {tuple(v.shape)}" for v in (self._kept[name][0], value))
                raise ValueError(f"draws of {name!r} have been {before}, but this one is {now}")
            if not (finite := value.isfinite()).all():
                of = ""
                if self._chains:
                    lost = (~finite).reshape(self._chains, -1).any(1).nonzero().flatten().tolist()
                    of = f" of chain{'s' if len(lost) > 1 else ''} {', '.join(map(str, lost))}"
                raise FloatingPointError(
                    f"{name}{of} is not finite at step {self.steps + 1}, and nothing was kept of this step: the run "
                    "has diverged. A smaller lr helps, or a prior that is less wide"
                )

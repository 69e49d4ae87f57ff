"""One short training loop for every chapter."""

import time
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from physnn.lab.data.images import Dataset, Split


class DivergedError(FloatingPointError):
    """A loss or a gradient stopped being finite; ``history`` holds the epochs finished before."""

    def __init__(self, message: str, history: pd.DataFrame) -> None:
        super().__init__(message)
        self.history = history


def fit(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int = 128,
    seed: int = 0,
) -> pd.DataFrame:
    """Train ``model`` and return its history.

    Every epoch visits the training images once, in an order that depends on ``seed`` alone, so that two models
    trained with one seed see the same batches.

    Returns:
        One row per epoch, epoch 0 being before training: ``epoch``, ``loss`` (mean over the epoch's steps, NaN at
        epoch 0), ``validation_accuracy`` (a fraction), ``seconds`` (of training, cumulative).

    Raises:
        DivergedError: a loss or a gradient is not finite. It says at which step, and carries the history so far.
        ValueError: ``epochs`` or ``batch_size`` is below 1.
    """
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, got {epochs} and {batch_size}")
    train = dataset.train
    order = torch.Generator().manual_seed(seed)
    rows = [(0, float("nan"), accuracy(model, dataset, dataset.validation), 0.0)]
    columns = ["epoch", "loss", "validation_accuracy", "seconds"]
    seconds = 0.0
    model.train()
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        total = 0.0
        batches = torch.randperm(len(train), generator=order).to(train.labels.device).split(batch_size)
        for step, batch in enumerate(batches):
            optimizer.zero_grad()
            value = loss(model(dataset.as_input(train.images.index_select(0, batch))), train.labels[batch])
            total += value.item()
            if total - total != 0:  # NaN or infinite
                message = f"the loss became {value.item()} in epoch {epoch}, step {step}; lower lr"
                raise DivergedError(message, pd.DataFrame(rows, columns=columns))
            value.backward()
            try:
                optimizer.step()
            except FloatingPointError as error:
                message = f"in epoch {epoch}, step {step}: {error}"
                raise DivergedError(message, pd.DataFrame(rows, columns=columns)) from error
        seconds += time.perf_counter() - start
        rows.append((epoch, total / len(batches), accuracy(model, dataset, dataset.validation), seconds))
    return pd.DataFrame(rows, columns=columns)


@torch.no_grad()
def accuracy(model: nn.Module, dataset: Dataset, split: Split) -> float:
    """Return the fraction of ``split`` whose largest output is at the label."""
    was_training = model.training
    model.eval()
    chunks = zip(split.images.split(2000), split.labels.split(2000), strict=True)
    correct = sum(int((model(dataset.as_input(x)).argmax(1) == y).sum()) for x, y in chunks)
    model.train(was_training)
    return correct / len(split)

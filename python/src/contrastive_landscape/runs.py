"""A recorded run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file

from . import files, program

if TYPE_CHECKING:
    from .network import Network

TURNS = ("online", "target", "joint")


@dataclass(frozen=True)
class Batch:
    """One step's worth of an epoch."""

    x1: NDArray[np.floating[Any]]
    """View 1 of each pair, `(B, p)`."""
    x2: NDArray[np.floating[Any]]
    turn: str
    """Who learns: online, target or joint."""
    lr: float
    """The learning rate, where the schedule stands."""
    samples: NDArray[np.int64]
    """The row of `Data.samples` that each pair was made of, `(B,)`."""
    drawn: NDArray[np.float64] | None = None
    """What the loss drew at this step, `(m, draws)`, if it draws."""


@dataclass(frozen=True)
class EpochViews:
    """The pairs of views of an epoch, in the order in which the run saw them."""

    x1: NDArray[np.floating[Any]]
    """`(N, p)`"""
    x2: NDArray[np.floating[Any]]
    sample: NDArray[np.int64]
    """The row of `Data.samples` that each pair was made of, `(N,)`."""
    batch: NDArray[np.int64]
    """The batch that each pair is in, `(N,)`."""
    turn: NDArray[np.int64]
    """Who learns in each batch: 0 the online branch, 1 the target, 2 everything."""
    lr: NDArray[np.float64]
    """The learning rate of each batch."""
    drawn: NDArray[np.float64] | None = None
    """What the loss drew for each batch, `(batches, m, draws)`, if it draws."""

    def batches(self) -> Iterator[Batch]:
        """Step by step."""
        for k, (turn, lr) in enumerate(zip(self.turn, self.lr)):
            rows = self.batch == k
            drawn = None if self.drawn is None else self.drawn[k]
            yield Batch(self.x1[rows], self.x2[rows], TURNS[turn], float(lr), self.sample[rows], drawn)


@dataclass(frozen=True)
class Data:
    """What a run learnt from, exactly as it saw it."""

    dictionary: NDArray[np.float64]
    """M, `(p, d)`."""
    latents: NDArray[np.float64]
    """z of every sample, `(n, d)`."""
    samples: NDArray[np.floating[Any]]
    """x, `(n, p)`, in the run's precision."""
    start: dict[str, NDArray[Any]] | None
    """The weights before training; none for a run that was told its start."""
    views: dict[int, EpochViews]
    """Of the chosen epochs, by number."""


class Run:
    """A recorded run, read from its folder when something of it is asked for."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not files.is_run(self.path):
            raise FileNotFoundError(f"{self.path} is not the folder of a recorded run")

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @cached_property
    def spec(self) -> dict[str, Any]:
        """All settings, as a tree."""
        return files.read_spec(self.path)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """`summary.json`: what the run came to, and how it was made."""
        return files.read_summary(self.path)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """`metrics.csv`, by epoch."""
        return files.read_metrics(self.path).set_index("epoch")

    @cached_property
    def weights(self) -> dict[str, NDArray[Any]]:
        """The final parameters and buffers by the names of the authors' state dicts; weights are `(m, p)`."""
        return load_file(self.path / "final.safetensors")

    @property
    def label(self) -> str:
        """What tells its curve from the others of its experiment."""
        return str(self.summary["label"])

    @property
    def seed(self) -> int:
        """Seed of its draws."""
        return int(self.spec["seed"])

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return int(self.summary["epochs"])

    def modules(self, weights: dict[str, NDArray[Any]] | None = None) -> Network:
        """The network as PyTorch modules, with the final weights or others; its forward pass is the run's loss.

        Needs PyTorch (`pip install 'contrastive-landscape[torch]'`).
        """
        from .network import Network

        return Network(self.spec, self.weights if weights is None else weights)

    def data(self, epochs: str | int = "last") -> Data:
        """What the run learnt from, drawn again by `landscape export`: dictionary, latents, samples, the start, and the views
        of the epochs that are named as there: 1, "1..5", "last", "none", or several, "1,10..20,last"."""
        with tempfile.TemporaryDirectory() as folder:
            program.run("export", self.path, "--to", folder, "--epochs", str(epochs))
            out = Path(folder)
            data, start = load_file(out / "data.safetensors"), out / "start.safetensors"
            views = {int(file.stem.removeprefix("views-")): load_file(file) for file in out.glob("views-*.safetensors")}
            return Data(
                **data,
                start=load_file(start) if start.is_file() else None,
                views={epoch: EpochViews(**views[epoch]) for epoch in sorted(views)},
            )

"""A run in Python is the run that was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from contrastive_landscape import ProgramError, Run, files
from contrastive_landscape.losses import LOSSES
from contrastive_landscape.schema import schema

from .conftest import train

PLAIN = {
    "ncl": "method: ncl",
    "cl": "method: cl",
    "joint": "method: simplified-noalt-pred, dtype: float64",
    "simsiam": "method: simsiam, dtype: float64",
    "frozen": "method: simsiam-freeze",
    "diagonal": "method: simsiam-diag, dtype: float64",
    "momentum": "method: cl, train: {optimizer: {kind: sgd, momentum: 0.9, weight_decay: 0.01}, schedule: {kind: cosine}}",
}


def test_every_loss_of_the_program_has_a_plain_form() -> None:
    assert sorted(LOSSES) == sorted(loss["kind"] for loss in schema()["losses"])


def test_the_modules_give_every_recorded_loss(sweep: Path) -> None:
    """The only batch of the only epoch was seen by the start's weights."""
    runs = [Run(folder) for folder in files.runs(sweep)]
    assert len(runs) > 40
    for run in runs:
        data = run.data()
        assert data.start is not None
        (batch,) = data.views[1].batches()
        loss = run.modules(data.start)(batch.x1, batch.x2, batch.turn, batch.drawn).item()
        recorded = run.metrics["loss"][1]
        bound = 1e-12 if run.spec["dtype"] == "float64" else 2e-6
        assert abs(loss - recorded) <= bound * max(1, abs(recorded)), f"{run.label}: {loss} and {recorded}"


def test_a_loss_that_is_another_is_noticed(sweep: Path) -> None:
    run = next(run for run in map(Run, files.runs(sweep)) if run.label == "method-cl")
    data = run.data()
    assert data.start is not None
    (batch,) = data.views[1].batches()
    other = run.modules(data.start)(batch.x1, batch.x2[::-1].copy(), batch.turn).item()
    assert abs(other - run.metrics["loss"][1]) > 1e-3


@pytest.mark.parametrize("name", PLAIN)
def test_torch_trains_the_run_again(name: str, tmp_path: Path) -> None:
    """From the start's weights, the views that the run saw lead torch.optim to the recorded curve and weights."""
    small = "data: {samples: 40, p: 12, d: 5}, model: {m: 9}, train: {batch_size: 16, epochs: 4, lr: 0.05}"
    text = f"title: Again\nseeds: 1\nbase: {{ {small} }}\narms:\n  {name}: {{ {PLAIN[name]} }}\n"
    run = Run(files.runs(train(tmp_path, "again", text))[0])
    data = run.data(epochs="1..last")
    assert data.start is not None and list(data.views) == [1, 2, 3, 4]
    model = run.modules(data.start)
    rule = run.spec["train"]["optimizer"]
    settings = {key: rule[key] for key in ("momentum", "weight_decay") if key in rule}
    optimizer = torch.optim.SGD(model.learning(), lr=1.0, **settings)
    for epoch, views in data.views.items():
        losses = []
        for batch in views.batches():
            learning = set(model.learning(batch.turn))
            optimizer.param_groups[0]["lr"] = batch.lr
            optimizer.zero_grad()
            loss = model(batch.x1, batch.x2, batch.turn, batch.drawn)
            loss.backward()
            for parameter in model.parameters():
                if parameter not in learning:
                    parameter.grad = None
            optimizer.step()
            losses.append(loss.item())
        bound = 1e-10 if run.spec["dtype"] == "float64" else 2e-5
        assert np.isclose(np.mean(losses), run.metrics["loss_mean"][epoch], rtol=bound, atol=bound)
    trained = {key: value.numpy() for key, value in model.state_dict().items()}
    assert trained.keys() == run.weights.keys()
    for key, value in run.weights.items():
        assert np.allclose(trained[key], value, rtol=bound, atol=bound), key


def test_the_data_are_the_truth_behind_the_run(curves: Path) -> None:
    run = Run(files.runs(curves)[0])
    data = run.data("none")
    assert data.views == {}
    weights = run.weights["Wo.weight"].astype(float)
    cosines = np.abs(weights / np.linalg.norm(weights, axis=1, keepdims=True) @ data.dictionary)
    assert np.isclose(cosines.max(axis=0).min(), run.metrics["min_cosine"].iloc[-1], atol=1e-12)
    assert data.samples.shape == (40, 12) and data.samples.dtype == np.float32
    assert set(np.unique(data.latents)) <= {-1.0, 0.0, 1.0}


def test_what_is_not_there_is_said(curves: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not the folder of a recorded run"):
        Run(tmp_path)
    with pytest.raises(ProgramError, match="the run has the epochs 1 to 3, not 9"):
        Run(files.runs(curves)[0]).data(9)

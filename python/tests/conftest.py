"""A small sweep to read: one run for every method, every loss, and settings that change the network's shape."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from contrastive_landscape import program
from contrastive_landscape.schema import schema

MORE = {
    "pred-norm": "method: simplified-pred, model: {batch_norm: pre_activation}",
    "penalty": "method: simplified-noalt-pred, loss: {normalize: false, weight_penalty: 0.1}",
    "constant": "method: simplified, model: {bias: {kind: constant, value: 0.01}}",
    "idle": "method: simclr-alter-aug, model: {batch_norm: idle}",
    "twice": "method: simsiam, model: {batch_norm: pre_and_post_activation}",
    "deep-simsiam": "method: simsiam, model: {layers: 2}",
    "double": "method: simsiam, dtype: float64",
    "linear-projector": "method: simplified-simsiam, model: {projector: linear}",
    "scaled": "method: simclr-orig, loss: {kind: barlow_twins, scale: 0.024}",
    "bounded": "method: simclr-orig, loss: {kind: spectral, mu: 0.5}",
}

SMALL = "data: {samples: 40, p: 12, d: 12}, model: {m: 12}, train: {batch_size: 20, epochs: 3, lr: 0.01}"


def train(folder: Path, name: str, text: str, *flags: str) -> Path:
    """The results of an experiment."""
    (folder / f"{name}.yaml").write_text(text)
    command = [program.find(), "run", f"{name}.yaml", *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "results" / name


@pytest.fixture(scope="session", autouse=True)
def a_program() -> None:
    """Tests that need the program fail where there is none: `make test-python` builds it."""
    os.environ["LANDSCAPE"] = str(Path(program.find()).resolve())


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every method, every loss, and more; one batch, one epoch."""
    methods = [method["name"] for method in json.loads(program.run("methods", "--json"))]
    arms = {f"method-{name}": f"method: {name}" for name in methods}
    for loss in schema()["losses"]:
        method = "simclr-orig" if loss["sides"] == "both" else "simsiam"
        arms[f"loss-{loss['kind']}"] = f"method: {method}, loss: {{kind: {loss['kind']}}}"
    lines = [f"  {name}: {{ {settings} }}" for name, settings in {**arms, **MORE}.items()]
    base = SMALL.replace("20, epochs: 3, lr: 0.01", "40, epochs: 1")
    text = f"title: All\nseeds: 1\nbase: {{ {base} }}\narms:\n" + "\n".join(lines)
    return train(tmp_path_factory.mktemp("sweep"), "all", text)


@pytest.fixture(scope="session")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms and two seeds over some epochs."""
    text = f"title: Two\nbase: {{ {SMALL} }}\narms:\n  NCL: {{ method: ncl }}\n  CL: {{ method: cl }}\nseeds: 1..2\n"
    return train(tmp_path_factory.mktemp("curves"), "two", text)

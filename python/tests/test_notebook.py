"""The notebook runs as it stands, on results as `make figures` leaves them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("matplotlib", reason="matplotlib is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

from .conftest import train  # noqa: E402

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "own_figure.ipynb"
EXPERIMENT = Path(__file__).parents[2] / "experiments" / "fig2.yaml"
SMALL = ["--set", "data.samples=60", "--set", "train.epochs=4", "--set", "train.batch_size=20", "--seeds", "1..2"]


def test_the_notebook_makes_its_figures(tmp_path: Path) -> None:
    train(tmp_path, "fig2", EXPERIMENT.read_text("utf-8"), *SMALL)
    place = tmp_path / "python" / "notebooks"
    place.mkdir(parents=True)
    shutil.copy(NOTEBOOK, place)
    notebook = nbformat.read(place / NOTEBOOK.name, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "the notebook is kept without outputs"
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(place)}}).execute()
    pictures = [output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    assert len(pictures) == 2

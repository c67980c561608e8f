"""The files of a run's folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from .schema import with_left_out

FILES = ("spec.yaml", "summary.json", "metrics.csv", "final.safetensors")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's numbers: `1e-5` is one, too."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def is_run(folder: Path) -> bool:
    """Whether the folder holds a recorded run."""
    return (folder / "summary.json").is_file()


def runs(folder: Path) -> list[Path]:
    """The recorded runs of a run's, an experiment's or all results' folder."""
    if is_run(folder):
        return [folder]
    found = [path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/summary.json")]
    visible = [run for run in found if not any(part.startswith(".") for part in run.relative_to(folder).parts)]
    if not visible:
        raise FileNotFoundError(f"there are no recorded runs in {folder}")
    return sorted(visible)


def read_spec(run: Path) -> dict[str, Any]:
    """All settings of a run."""
    spec = yaml.load((run / "spec.yaml").read_text("utf-8"), _Loader)
    if not isinstance(spec, dict):
        raise ValueError(f"{run / 'spec.yaml'} is not the spec of a run")
    return with_left_out(spec)


def read_summary(run: Path) -> dict[str, Any]:
    """`summary.json`."""
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text("utf-8"))
    return summary


def read_metrics(run: Path) -> pd.DataFrame:
    """`metrics.csv`, to the last digit."""
    exact: dict[str, Any] = {"float_precision": "round_trip"} if pd.__version__ < "3" else {}
    table: pd.DataFrame = pd.read_csv(run / "metrics.csv", **exact)
    return table

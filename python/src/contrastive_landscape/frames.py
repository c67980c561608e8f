"""Runs as data frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from . import files


def frame(results: str | os.PathLike[str], *, curves: bool = False) -> pd.DataFrame:
    """One data frame of the recorded runs in a folder: an experiment's (`results/fig2`), all results' or one run's.

    A row is a run, or with `curves` a measured epoch of a run. The columns are `experiment`, `run`, `label`, the settings by
    their dotted path (`train.lr`, `loss.kind`) and what was measured under the names of `metrics.csv`; without `curves`,
    that is the last row, in which a column that shares its name with a group of settings is called `end.loss`. These are
    the columns of `landscape results table`, `--curves` included, but for those that the program works out when it reads
    a run: `chance_cosine` and `steps_to_found`.
    """
    rows = [_curve(run) if curves else pd.DataFrame([_row(run)]) for run in files.runs(Path(results))]
    return pd.concat(rows, ignore_index=True)


def _row(run: Path) -> dict[str, Any]:
    summary, spec = files.read_summary(run), files.read_spec(run)
    row = _facts(summary, spec)
    for column, value in summary["final"].items():
        row[f"end.{column}" if column in spec or column in row else column] = value
    return row


def _curve(run: Path) -> pd.DataFrame:
    metrics = files.read_metrics(run)
    facts = _facts(files.read_summary(run), files.read_spec(run))
    left = pd.DataFrame({key: [value] * len(metrics) for key, value in facts.items() if key not in metrics})
    return pd.concat([left, metrics], axis=1)


def _facts(summary: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    named = {key: summary[key] for key in ("experiment", "run", "label")}
    counted = {"epochs_trained": summary["epochs"], "diverged_at": summary["diverged_at"]}
    return {**named, **counted, "wall_seconds": summary["wall_seconds"], **dict(_leaves("", spec))}


def _leaves(path: str, tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from _leaves(place, value)
        else:
            yield place, value

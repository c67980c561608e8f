"""Data frames are the tables of the program."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from contrastive_landscape import Run, files, frame, program
from contrastive_landscape.schema import schema


def test_the_schema_is_the_programs() -> None:
    assert schema() == json.loads(program.run("schema")), "landscape schema > python/src/contrastive_landscape/schema.json"


def of_program(results: Path, *arguments: str) -> pd.DataFrame:
    text = program.run("results", "table", results.name, "--results", results.parent, *arguments)
    worked_out = [column["name"] for column in schema()["columns"] if column["measured"] == "when read"]
    return pd.read_csv(io.StringIO(text)).drop(columns=worked_out, errors="ignore").sort_index(axis=1)


def as_csv(table: pd.DataFrame) -> pd.DataFrame:
    """As CSV sees it: lists are text, and what is nowhere set is NaN."""
    plain = table.map(lambda value: json.dumps(value) if isinstance(value, list) else value)
    return pd.read_csv(io.StringIO(plain.to_csv(index=False))).sort_index(axis=1)


@pytest.mark.parametrize("flags", [(), ("--curves",)])
def test_a_frame_is_the_programs_table(sweep: Path, curves: Path, flags: tuple[str, ...]) -> None:
    for results in (sweep, curves):
        ours = as_csv(frame(results, curves=bool(flags)))
        assert_frame_equal(ours, of_program(results, *flags), check_dtype=False, rtol=1e-14)


def test_rows_and_columns(curves: Path) -> None:
    runs = frame(curves)
    assert len(runs) == 4 and runs["run"].is_unique
    assert sorted(runs["label"].unique()) == ["CL", "NCL"]
    assert list(runs["train.lr"].unique()) == [0.01]
    assert runs["train.schedule.kind"].unique() == ["constant"]  # which spec.yaml does not say
    assert runs.loc[runs["label"] == "NCL", "loss.temperature"].isna().all()
    long = frame(curves, curves=True)
    assert len(long) == 4 * 4 and sorted(long["epoch"].unique()) == [0, 1, 2, 3]
    last = long[long["epoch"] == 3].set_index("run")["min_cosine"]
    assert (last.sort_index() == runs.set_index("run")["min_cosine"].sort_index()).all()
    # All results, or one run.
    assert len(frame(curves.parent)) == 4 and len(frame(files.runs(curves)[0])) == 1


def test_small_numbers_are_numbers(curves: Path, tmp_path: Path) -> None:
    run = files.runs(curves)[0]
    copy = tmp_path / "run"
    copy.mkdir()
    for name in files.FILES:
        (copy / name).write_bytes((run / name).read_bytes())
    text = (copy / "spec.yaml").read_text()
    assert "lr: 0.01" in text
    (copy / "spec.yaml").write_text(text.replace("lr: 0.01", "lr: 1e-05"))
    assert Run(copy).spec["train"]["lr"] == 1e-5


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no recorded runs"):
        frame(tmp_path)

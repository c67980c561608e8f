"""The program `landscape`, which knows how data are drawn."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


class ProgramError(RuntimeError):
    """The program is not there, or says that something cannot be done."""


def find() -> str:
    """Where the program lies: where `LANDSCAPE` says, on the path, or in the checkout that this folder belongs to."""
    named = os.environ.get("LANDSCAPE") or shutil.which("landscape")
    if named:
        return named
    for folder in [Path.cwd(), *Path.cwd().parents]:
        built = folder / "target" / "release" / "landscape"
        if built.is_file():
            return str(built)
    raise ProgramError("the program `landscape` is not found: put it on the PATH, or name it by LANDSCAPE=/path/to/landscape")


def run(*arguments: str | os.PathLike[str]) -> str:
    """What the program answers."""
    command = [find(), *(os.fspath(argument) for argument in arguments)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ProgramError(f"{command[0]}: {error}") from error
    if answer.returncode != 0:
        raise ProgramError(answer.stderr.strip() or f"{' '.join(command)} failed with {answer.returncode}")
    return answer.stdout

"""The authors' own scripts, their files untouched, timed from one epoch's log entry to the next.

    python authors_peer.py THREADS CHECKOUT

Their losses are compared with ours by `landscape crosscheck`.
"""

import json
import os
import pathlib
import pickle
import runpy
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "crosscheck"))

import theirs
from protocol import batches, serve

REPO = pathlib.Path(sys.argv[2]).resolve()
theirs.put_back_what_has_gone(REPO)

import torch
import wandb

torch.set_num_threads(int(sys.argv[1]))
SCRIPTS = {
    "simplified": ["main.py"],
    "simplified-pred": ["main.py", "--use_bn", "True"],
    "simplified-ml": ["main.py", "--use_bn", "True"],
    "simsiam": ["main_simsiam.py", "--use_bn", "True"],
    "simclr-orig": ["main_simclr.py", "--use_bn", "True"],
}


class Clock:
    """Stands behind the wandb shim."""

    def begin(self):
        self.entries = []

    def log(self, _values):
        self.entries.append(time.perf_counter())


class Authors:
    def load(self, spec, runs, x, state):
        self.spec, self.runs = spec, runs
        data, train = spec["data"], spec["train"]
        config = {
            "nn": data["samples"], "p": data["p"], "d": data["d"], "m": spec["model"]["m"], "num_exp": 1,
            "sparsity_levels": [0.1], "masking_probs": [0.5],
        }
        self.folder = tempfile.TemporaryDirectory()
        self.config = config
        script, *flags = SCRIPTS[spec["method"]]
        self.command = [script, "--cfg", f"{self.folder.name}/config.yaml", "--logDir", self.folder.name]
        self.command += ["--model", spec["method"], "--use_masking", "True", "--normalize_repr", "True", "--log_metrics"]
        self.command += ["--lr", str(train["lr"]), "--batch_size", str(train["batch_size"]), *flags]

    def timed(self, seconds):
        """The first epoch of a script is not counted: it ends where the clock starts."""
        epochs = 1 if seconds == 0 else 2
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in (self.config | {"NUM_EPOCHES": epochs + 1}).items())
        pathlib.Path(self.folder.name, "config.yaml").write_text(lines)
        wandb.recorder = clock = Clock()
        pickle.dump = lambda *_: None
        torch.save = lambda *_: None
        sys.argv = self.command
        os.chdir(REPO)
        runpy.run_path(str(REPO / self.command[0]), run_name="__main__")
        first, last = clock.entries[-1 - epochs], clock.entries[-1]
        return last - first, epochs * len(batches(self.spec))


serve(Authors())

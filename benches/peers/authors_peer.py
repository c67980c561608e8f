"""The authors' own scripts, their files untouched, timed from epoch to epoch without what they log between two.

    python authors_peer.py THREADS CHECKOUT

Their losses are compared with ours by `landscape crosscheck`.
"""

import builtins
import json
import os
import pathlib
import pickle
import runpy
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "crosscheck"))

import theirs
from protocol import batches, serve

REPO = pathlib.Path(sys.argv[2]).resolve()
theirs.put_back_what_is_missing(REPO)

import torch

torch.set_num_threads(int(sys.argv[1]))
SCRIPTS = {
    "simplified": ["main.py"],
    "simplified-pred": ["main.py", "--use_bn", "True"],
    "simplified-ml": ["main.py", "--use_bn", "True"],
    "simsiam": ["main_simsiam.py", "--use_bn", "True"],
    "simclr-orig": ["main_simclr.py", "--use_bn", "True"],
}


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
        self.command += ["--model", spec["method"], "--use_masking", "True", "--normalize_repr", "True"]
        self.command += ["--lr", str(train["lr"]), "--batch_size", str(train["batch_size"]), *flags]

    def timed(self, seconds):
        """The first epoch of a script warms up."""
        epochs = 1 if seconds == 0 else 2
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in (self.config | {"NUM_EPOCHES": epochs + 1}).items())
        pathlib.Path(self.folder.name, "config.yaml").write_text(lines)
        recorder = theirs.Recorder(pathlib.Path(self.folder.name))
        pickle.dump = torch.save = lambda *_: None
        sys.argv = self.command
        os.chdir(REPO)
        print_of_python, builtins.print = builtins.print, recorder.print
        try:
            runpy.run_path(str(REPO / self.command[0]), run_name="__main__")
        finally:
            builtins.print = print_of_python
        return sum(recorder.epoch_seconds[1:]), epochs * len(batches(self.spec))


serve(Authors())

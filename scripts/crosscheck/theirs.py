"""Runs one of the authors' scripts, its files untouched, and records what its logger receives.

    python theirs.py --repo CHECKOUT --out FOLDER [--threads N] [--seeds 7,9] -- main.py --cfg ... --logDir ...

Writes into FOLDER, for experiment 0, 1, ... in their order, `0000.json` (its name, every logged value of every epoch,
the seconds it took, and those of each epoch's training) and `0000.safetensors` (the final state dict).
Nothing is written into the checkout, and no pickle is kept.

The scripts date from NumPy 1.21 and log to wandb. What has gone since, or is not needed here, is put back on this
side: `np.float` and `np.int`, and the modules in `shims/` (wandb, matplotlib, seaborn). So are two imports without which
--use_multimasking stops. `python -O` leaves out the assertion that keeps --ema_decay off.
"""

import argparse
import builtins
import json
import math
import os
import pathlib
import runpy
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(description="run one of the authors' scripts and record it")
    parser.add_argument("--repo", required=True, type=pathlib.Path, help="checkout of contrastive_landscape")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder of the records")
    parser.add_argument("--threads", type=int, help="threads of PyTorch [default: its own]")
    parser.add_argument("--seeds", default="", help="seeds of experiments 0, 1, ... instead of 1, 2, ...: 7,9")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="-- SCRIPT and its flags")
    parsed = parser.parse_args()
    if parsed.script[:1] == ["--"]:
        parsed.script = parsed.script[1:]
    if not parsed.script:
        parser.error("name one of the authors' scripts after --")
    return parsed


def put_back_what_is_missing(repo):
    """Modules that only draw or log, removed NumPy aliases, and names that are used without being imported."""
    sys.path[:0] = [str(repo), str(HERE / "shims")]
    import numpy as np
    import torch
    from dataset.multimask_sparse_contr_dataset import multi_mask_data_collate

    np.float, np.int = float, int
    builtins.torch = torch
    builtins.multi_mask_data_collate = multi_mask_data_collate


def write_safetensors(path, state):
    """The format in a dozen lines: the length of a JSON header, the header, the bytes of all tensors."""
    names = {"torch.float32": "F32", "torch.float64": "F64", "torch.int64": "I64"}
    header, blobs, offset = {}, [], 0
    for name, tensor in state.items():
        array = tensor.detach().cpu().contiguous()
        blob = array.numpy().tobytes()
        end = offset + len(blob)
        header[name] = {"dtype": names[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, end]}
        blobs.append(blob)
        offset = end
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def plain(value):
    """A tensor or a NumPy scalar as a float; None where it is no finite number, which JSON cannot hold."""
    value = float(value.detach()) if hasattr(value, "detach") else float(value)
    return value if math.isfinite(value) else None


class Recorder:
    """Stands behind the wandb shim; behind print, which tells of every epoch; and behind pickle.dump, which ends an
    experiment."""

    def __init__(self, out):
        self.out, self.number = out, 0
        self.begin()

    def begin(self):
        self.epochs, self.epoch_seconds, self.start = [], [], time.perf_counter()

    def print(self, *values, **_):
        """"Starting ... training..." comes before the first epoch; "Epoch 0 ..." after its last batch."""
        words = str(values[0]).split() if values else []
        if words[:1] == ["Starting"]:
            self.epoch_start = time.perf_counter()
        elif words[:2] == ["Epoch", str(len(self.epoch_seconds))]:
            now = time.perf_counter()
            self.epoch_seconds.append(now - self.epoch_start)
            self.epoch_start = now

    def log(self, values):
        pictures = {key for key, value in values.items() if getattr(value, "is_picture", False)}
        numbers = {key: plain(value) for key, value in values.items() if key not in pictures}
        self.epochs.append(numbers)
        self.epoch_start = time.perf_counter()

    def end(self, val_dict, file):
        if not isinstance(val_dict, dict):
            # main_simsiam.py saves the module once more.
            return
        seconds = time.perf_counter() - self.start
        write_safetensors(self.out / f"{self.number:04}.safetensors", val_dict["model"].state_dict())
        record = {
            "name": pathlib.Path(file.name).stem,
            "seconds": seconds,
            "epoch_seconds": self.epoch_seconds,
            "epochs": self.epochs,
        }
        (self.out / f"{self.number:04}.json").write_text(json.dumps(record))
        self.number += 1
        self.begin()


def replace_seeds(seeds):
    """Experiment i gets the i-th of them instead of i + 1, and there are as many experiments."""
    import config
    import numpy as np
    import torch

    numpy_seed, torch_seed, update_config = np.random.seed, torch.manual_seed, config.update_config

    def update(settings, args):
        update_config(settings, args)
        settings.defrost()
        settings.num_exp = len(seeds)
        settings.freeze()

    np.random.seed = lambda seed: numpy_seed(seeds[seed - 1])
    torch.manual_seed = lambda seed: torch_seed(seeds[seed - 1])
    config.update_config = update


def main():
    args = arguments()
    put_back_what_is_missing(args.repo)
    import pickle
    import torch
    import wandb

    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(args.out.resolve())
    wandb.recorder = recorder
    pickle.dump = lambda value, file: recorder.end(value, file)
    torch.save = lambda *_: None
    if args.seeds:
        replace_seeds([int(seed) for seed in args.seeds.split(",")])
    builtins.print = recorder.print
    sys.argv = args.script
    os.chdir(args.repo)
    runpy.run_path(str(args.repo / args.script[0]), run_name="__main__")


if __name__ == "__main__":
    main()

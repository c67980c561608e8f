"""Records the order in which PyTorch 1.7.1's DataLoader takes shuffled samples, the reference of the tests in src/random.

Writes rng-torch-1.7.json beside this file, in the form of make_rng_large.py. Recorded with PyTorch 1.7.1, which the
authors' requirements pin, and NumPy 1.21.2, under CPython 3.8:

    pip install torch==1.7.1 numpy==1.21.2 && python make_rng_torch_1_7.py

Before 1.9, RandomSampler seeds a generator by a draw from the global one, and then permutes by the global one all the same.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from make_rng_large import SEEDS, digest


def order(loader):
    return torch.cat([batch for (batch,) in loader])


def draws(seed):
    def loader(n, batch_size, **kind):
        torch.manual_seed(seed)
        return DataLoader(TensorDataset(torch.arange(n)), batch_size=batch_size, shuffle=True, **kind)

    def large(n):
        epochs = loader(n, 384)
        orders = [order(epochs) for _ in range(3)]
        return digest(torch.cat([*orders, torch.empty(1, dtype=torch.int64).random_()]).numpy())

    two = loader(11, 4)
    record = {"DataLoader_11_batch_4_two_epochs": [order(two).tolist() for _ in range(2)]}
    full_batches = order(loader(11, 4, drop_last=True)).tolist()
    record["DataLoader_11_batch_4_drop_last_then_rand"] = [full_batches, torch.rand(2).tolist()]
    for n in (1000, 3000):
        record[f"DataLoader_{n}_batch_384_three_epochs, random__int64_1"] = large(n)
    return record


if __name__ == "__main__":
    record = {
        "versions": {"torch": torch.__version__.split("+")[0], "numpy": np.__version__},
        "seeds": {str(seed): draws(seed) for seed in SEEDS},
    }
    text = json.dumps(record, indent=1)
    one_line_lists = re.sub(r"\[[^][]*]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    Path(__file__).with_name("rng-torch-1.7.json").write_text(one_line_lists + "\n")

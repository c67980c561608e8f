"""Records what NumPy's legacy RandomState and PyTorch's CPU generator give for draws of the size of real runs.

Writes rng-large.json beside this file, the reference of the unit tests in src/random. Recorded with PyTorch 2.11.0 and
NumPy 2.4.6:

    pip install torch==2.11.0 numpy==2.4.6 && python make_rng_large.py

An array is recorded as its length, its first and last five entries (shortest decimals that read back exactly, as
strings) and a checksum over the bits of all entries: sum of (i + 1) * bits_i modulo 2^64, i = 0, 1, ... in row order.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

SEEDS = (1, 7, 2**32 - 1)


def digest(array):
    flat = np.asarray(array).ravel()
    bits = flat.view({4: np.uint32, 8: np.uint64}[flat.itemsize]).astype(np.uint64)
    weights = np.arange(1, len(flat) + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        checksum = int((bits * weights).sum(dtype=np.uint64))
    return {
        "length": len(flat),
        "first": [str(entry) for entry in flat[:5]],
        "last": [str(entry) for entry in flat[-5:]],
        "checksum": f"{checksum:016x}",
    }


def numpy_draws(seed):
    def after_seeding(draw):
        np.random.seed(seed)
        return digest(draw())

    def mask_diagonals(prob_ones, p, masks):
        diagonals = [
            np.diagonal(np.random.choice([0, 1], (p, p), p=[1 - prob_ones, prob_ones])).astype(np.int64)
            for _ in range(masks)
        ]
        # The draw after the masks shows that they consumed what they should.
        return np.concatenate([*diagonals, np.random.choice(2**40, 1)])

    def normals_among_others():
        parts = [np.random.normal(0, 1, 1), np.random.random_sample(3), np.random.normal(0, 1, 2)]
        parts += [np.random.permutation(5).astype(np.float64), np.random.normal(0, 1, 2)]
        return np.concatenate(parts)

    record = {
        "random_sample_1000": after_seeding(lambda: np.random.random_sample(1000)),
        "normal_50x50": after_seeding(lambda: np.random.normal(0, 1, (50, 50))),
        "normal_1, random_sample_3, normal_2, permutation_5, normal_2": after_seeding(normals_among_others),
        "permutation_10": after_seeding(lambda: np.random.permutation(np.arange(10))),
        "permutation_1000": after_seeding(lambda: np.random.permutation(np.arange(1000))),
        "choice_10_size_50": after_seeding(lambda: np.random.choice(10, 50)),
        "choice_1_size_3, choice_3_size_5": after_seeding(
            lambda: np.concatenate([np.random.choice(1, 3), np.random.choice(3, 5)])
        ),
        "choice_2^32_size_5": after_seeding(lambda: np.random.choice(2**32, 5)),
        "choice_2^40_size_50": after_seeding(lambda: np.random.choice(2**40, 50)),
        "choice_4_p_0.1_0.2_0.3_0.4_size_1000": after_seeding(
            lambda: np.random.choice(4, 1000, p=[0.1, 0.2, 0.3, 0.4])
        ),
    }
    for masking_prob, p in [(q, 50) for q in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)] + [(0.5, 1), (0.9, 20)]:
        record[f"mask_diagonals q={masking_prob} p={p} masks=7, choice_2^40"] = after_seeding(
            lambda: mask_diagonals(1 - masking_prob, p, masks=7)
        )
    return record


def torch_draws(seed):
    def after_seeding(draw):
        torch.manual_seed(seed)
        return digest(draw().numpy())

    def linear(in_features, out_features, bias):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(in_features, out_features, bias=bias)
        return {name: digest(parameter.detach().numpy()) for name, parameter in layer.named_parameters()}

    def epochs():
        loader = DataLoader(TensorDataset(torch.arange(1000)), batch_size=384, shuffle=True)
        orders = [torch.cat([batch for (batch,) in loader]) for _ in range(3)]
        return torch.cat([*orders, torch.empty(1, dtype=torch.int64).random_()])

    return {
        "rand_2500": after_seeding(lambda: torch.rand(2500)),
        "uniform_-0.3_0.7_2500": after_seeding(lambda: torch.empty(2500).uniform_(-0.3, 0.7)),
        "random__int64_100": after_seeding(lambda: torch.empty(100, dtype=torch.int64).random_()),
        "randperm_0, randperm_1, random__int64_1": after_seeding(
            lambda: torch.cat([torch.randperm(0), torch.randperm(1), torch.empty(1, dtype=torch.int64).random_()])
        ),
        "randperm_1000": after_seeding(lambda: torch.randperm(1000)),
        "randperm_3000": after_seeding(lambda: torch.randperm(3000)),
        "DataLoader_1000_batch_384_three_epochs, random__int64_1": after_seeding(epochs),
        **{
            f"nn.Linear_{in_features}_{out_features}_{bias}": linear(in_features, out_features, bias)
            for in_features, out_features, bias in [
                (50, 50, True), (16, 20, True), (20, 16, False), (1, 3, True), (7, 11, True), (100, 30, True),
            ]
        },
    }


if __name__ == "__main__":
    record = {
        "versions": {"torch": torch.__version__.split("+")[0], "numpy": np.__version__},
        "numpy": {str(seed): numpy_draws(seed) for seed in SEEDS},
        "torch": {str(seed): torch_draws(seed) for seed in SEEDS},
    }
    text = json.dumps(record, indent=1)
    one_line_lists = re.sub(r"\[[^]]*]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    Path(__file__).with_name("rng-large.json").write_text(one_line_lists + "\n")

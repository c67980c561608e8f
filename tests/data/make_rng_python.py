"""Records what Python's module `random` gives, the reference of the unit tests in src/random/python.rs.

Writes rng-python.json beside this file. Recorded with CPython 3.11.7; these draws are the same in every version since 3.2:

    python make_rng_python.py
"""

import json
import random
from pathlib import Path

SEEDS = (0, 1, 7, 2**32 - 1, 2**32, 2**40 + 5, 2**63 + 1)
BOUNDS = [1, 2, 3, 10, 20, 255, 256, 257, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**40 + 3, 2**53, 1, 5]


def draws(seed):
    def among_others():
        items = list(range(20))
        random.shuffle(items)
        items += random.choices(range(40), k=8)
        return items + [random.choice(range(5)) for _ in range(3)]

    def after_seeding(draw):
        random.seed(seed)
        return draw()

    return {
        "random_695_to_699": after_seeding(lambda: [random.random() for _ in range(700)][695:]),
        "gauss_5": after_seeding(lambda: [random.gauss(0, 1) for _ in range(5)]),
        "randrange_of_bounds": after_seeding(lambda: [random.randrange(n) for n in BOUNDS]),
        "shuffle_20, choices_40_k_8, choice_5_three_times": after_seeding(among_others),
    }


record = {"bounds": BOUNDS, "seeds": {str(seed): draws(seed) for seed in SEEDS}}
path = Path(__file__).with_name("rng-python.json")
path.write_text(json.dumps(record, indent=1) + "\n")

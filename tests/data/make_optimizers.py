"""Writes optimizers.json: sixty steps of torch.optim on one weight (2, 3), in double precision.

    python tests/data/make_optimizers.py        (PyTorch 2.11)
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
SGD, ADAM, ADAMW = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
CASES = [
    ("SGD with weight decay", SGD, 0.05, {"kind": "sgd", "weight_decay": 0.1}),
    ("SGD with momentum", SGD, 0.05, {"kind": "sgd", "momentum": 0.9}),
    (
        "SGD with Nesterov's momentum and weight decay",
        SGD,
        0.05,
        {"kind": "sgd", "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    ),
    ("Adam", ADAM, 0.05, {"kind": "adam"}),
    (
        "Adam with weight decay",
        ADAM,
        0.05,
        {"kind": "adam", "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": 0.1},
    ),
    ("AdamW", ADAMW, 0.05, {"kind": "adamw"}),
    (
        "AdamW, other constants",
        ADAMW,
        0.02,
        {"kind": "adamw", "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3, "weight_decay": 0.3},
    ),
]


def theirs(settings):
    """Our keys in torch's words."""
    words = {key: value for key, value in settings.items() if key in ("momentum", "nesterov", "weight_decay")}
    if "beta1" in settings:
        words |= {"betas": (settings["beta1"], settings["beta2"]), "eps": settings["epsilon"]}
    return words


recorded = []
for what, optimizer, lr, settings in CASES:
    start = [math.sin(1 + i) for i in range(6)]
    gradients = [[round(math.sin(1.7 * i + 0.3 * k) * (1 + 0.1 * i), 6) for i in range(6)] for k in range(60)]
    weight = torch.tensor(start, requires_grad=True)
    rule = optimizer([weight], lr=lr, **theirs(settings))
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        rule.step()
    ends = weight.tolist()
    recorded.append(
        {"what": what, "optimizer": settings, "lr": lr, "start": start, "gradients": gradients, "ends": ends}
    )

text = "[\n" + ",\n".join(json.dumps(case) for case in recorded) + "\n]\n"
pathlib.Path(__file__).with_name("optimizers.json").write_text(text)

"""Writes losses.json: values and gradients of public implementations on two small views, in double precision.

    python tests/data/make_losses.py CHECKOUTS        (PyTorch 2.11)

CHECKOUTS is a folder with checkouts of the repositories below, each under its last name, at the commits named here.
Backbones and projectors are replaced by the identity, and gathering over processes by nothing.
"""

import ast
import importlib.util
import json
import pathlib
import sys
from types import SimpleNamespace

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
CHECKOUTS = pathlib.Path(sys.argv[1])
BATCH, WIDTH = 9, 5


def views():
    i, k = torch.arange(BATCH).double()[:, None], torch.arange(WIDTH).double()[None]
    embeddings = lambda phase: (i * 2.3 + k * 0.9 + i * k * 0.37 + phase).sin()
    first = embeddings(0.1)
    return first, first + 0.6 * embeddings(1.9)


def functions(path, *names, **known):
    """Functions of a file, also methods, without running the rest of it."""
    tree = ast.parse((CHECKOUTS / path).read_text())
    found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in names}
    space = {"torch": torch, "F": F, **known}
    for name in names:
        exec(compile(ast.Module([found[name]], []), path, "exec"), space)
    return [space[name] for name in names]


def module(path):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, CHECKOUTS / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def method_of(path, owner, helper, **known):
    """The method `forward` of a class whose file has others of that name, with a helper it calls."""
    tree = ast.parse((CHECKOUTS / path).read_text())
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner).body
    forward = next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == "forward")
    [helping] = functions(path, helper)
    space = {"torch": torch, "F": F, helper: helping, **known}
    exec(compile(ast.Module([forward], []), path, "exec"), space)
    return space["forward"]


identity = lambda z: z
unit = lambda z: F.normalize(z, dim=1)
alone = SimpleNamespace(diagonal=torch.diagonal, distributed=SimpleNamespace(all_reduce=lambda _: None))
vicreg_forward = method_of(
    "vicreg/main_vicreg.py", "VICReg", "off_diagonal", FullGatherLayer=SimpleNamespace(apply=lambda z: [z])
)
barlow_forward = method_of("barlowtwins/main.py", "BarlowTwins", "off_diagonal", torch=alone)
[spectral] = functions("spectral_contrastive_learning/models/spectral.py", "D", np=__import__("numpy"))
dcl = module("Decoupled-Contrastive-Learning/loss/dcl.py").DCL
align, uniform = functions("align_uniform/align_uniform/__init__.py", "align_loss", "uniform_loss")
siglip = module("open_clip/src/open_clip/loss.py").SigLipLoss()


def vicreg(a, b, invariance=25.0, variance=25.0, covariance=1.0):
    args = SimpleNamespace(batch_size=len(a), sim_coeff=invariance, std_coeff=variance, cov_coeff=covariance)
    return vicreg_forward(SimpleNamespace(projector=identity, backbone=identity, num_features=a.shape[1], args=args), a, b)


def barlow_twins(a, b):
    args = SimpleNamespace(batch_size=len(a), lambd=0.0051)
    bn = torch.nn.BatchNorm1d(a.shape[1], affine=False)
    return barlow_forward(SimpleNamespace(projector=identity, backbone=identity, bn=bn, args=args), a, b)


def both_ways(loss):
    return lambda a, b: (loss(unit(a), unit(b)) + loss(unit(b), unit(a))) / 2


def alignment_uniformity(alpha, t, weight):
    return lambda a, b: align(unit(a), unit(b), alpha) + weight * (uniform(unit(a), t) + uniform(unit(b), t)) / 2


def sigmoid(scale, bias):
    return lambda a, b: siglip(unit(a), unit(b), torch.tensor(float(scale)), torch.tensor(float(bias)))


VICREG = "facebookresearch/vicreg main_vicreg.py at 4e12602"
DCL = "raminnakhli/Decoupled-Contrastive-Learning loss/dcl.py, mean of both ways at 0b9b76d"
SPECTRAL = "jhaochenz/spectral_contrastive_learning models/spectral.py at ee431bd"
SIGLIP = "mlfoundations/open_clip src/open_clip/loss.py at 89fb801"
UNIFORM = "SsnL/align_uniform align_uniform/__init__.py at e256d47"
CASES = [
    ("{kind: vicreg}", VICREG, vicreg),
    ("{kind: vicreg, invariance: 10, variance: 5, covariance: 2}", VICREG, lambda a, b: vicreg(a, b, 10.0, 5.0, 2.0)),
    ("{kind: barlow_twins}", "facebookresearch/barlowtwins main.py at 8e8d284", barlow_twins),
    ("{kind: dcl}", DCL, both_ways(dcl(temperature=0.1))),
    ("{kind: dcl, temperature: 0.5}", DCL, both_ways(dcl(temperature=0.5))),
    ("{kind: spectral, mu: 1}", SPECTRAL, lambda a, b: spectral(a, b, mu=1.0)[0]),
    ("{kind: spectral, mu: 3}", SPECTRAL, lambda a, b: spectral(a, b, mu=3.0)[0]),
    ("{kind: siglip}", SIGLIP, sigmoid(10, -10)),
    ("{kind: siglip, scale: 3, bias: -1}", SIGLIP, sigmoid(3, -1)),
    ("{kind: alignment_uniformity}", UNIFORM, alignment_uniformity(2, 2, 1)),
    ("{kind: alignment_uniformity, alpha: 1, t: 3, weight: 0.5}", UNIFORM, alignment_uniformity(1, 3, 0.5)),
]

row = lambda tensor: json.dumps(tensor.flatten().tolist())
entries = []
for loss, source, value in CASES:
    a, b = (z.requires_grad_() for z in views())
    result = value(a, b)
    result.backward()
    entries.append(
        f'    {{"loss": {json.dumps(loss)}, "source": {json.dumps(source)}, "value": {result.item()!r}, "gradients": [\n'
        f"      {row(a.grad)},\n      {row(b.grad)}]}}"
    )
about = (
    "Values and gradients of public implementations in double precision, PyTorch 2.11; views are (batch, width), row by row"
)
first, second = views()
text = (
    f'{{\n  "about": "{about}",\n  "batch": {BATCH}, "width": {WIDTH},\n  "views": [\n    {row(first)},\n    {row(second)}\n'
    '  ],\n  "losses": [\n' + ",\n".join(entries) + "\n  ]\n}\n"
)
pathlib.Path(__file__).with_name("losses.json").write_text(text)

"""Loads the weights of a run into plain torch modules.

    python scripts/load_weights.py RUN [VIEWS]     prints the run's loss on two views

RUN is a folder with `spec.yaml` and `final.safetensors`. VIEWS is a safetensors file with `x1` and `x2`, (B, p); without
it, views of random numbers are taken. Needs torch only.

    from load_weights import load
    model = load("results/fig2/ncl-sp-0.1_seed1_0123456789")
    loss = model(x1, x2)
"""

import json
import math
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F
from torch import nn

TYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}


def read_safetensors(path):
    """Tensors by name. The format: the length of a JSON header, the header, the bytes of all tensors."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(bytearray(body[begin:end]), dtype=TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


def read_spec(path):
    """The block mappings of a spec.yaml; lists become lists of strings."""
    root = {}
    stack = [(-1, root, None)]
    for line in pathlib.Path(path).read_text().splitlines():
        indent, text = len(line) - len(line.lstrip()), line.strip()
        if text.startswith("- "):
            _, parent, key = stack[-1]
            parent[key] = (parent[key] or []) + [text[2:]]
            continue
        while stack[-1][0] >= indent:
            stack.pop()
        holder = stack[-1][1]
        if stack[-1][2] is not None:
            holder = holder[stack[-1][2]]
        key, _, value = text.partition(":")
        value = value.strip()
        if value:
            holder[key] = scalar(value)
        else:
            holder[key] = {}
            stack.append((indent, holder, key))
    return root


def scalar(text):
    words = {"null": None, "true": True, "false": False, "[]": []}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


class Network(nn.Module):
    """The network of a run, its loss on two views as the forward pass. Names are those of the authors' state dicts."""

    NORMS = {
        "non_contrastive": {"Wo": "bno", "Wt": "bnt", "Wo_1": "bno_1", "Wt_1": "bnt_1"},
        "contrastive": {"Wo": "bn1", "Wo_1": "bn2"},
        "simsiam": {"Wo": "norm1", "Wo_1": "norm2", "Wproj": "norm2"},
    }

    def __init__(self, spec):
        super().__init__()
        self.spec, self.model = spec, spec["model"]
        p, m, two = spec["data"]["p"], self.model["m"], self.model["layers"] == 2
        family, bias = self.model["family"], self.model["bias"]["kind"]
        self.online = ["Wo", "Wo_1"][: 1 + two]
        self.target = ["Wt", "Wt_1"][: 1 + two] if family == "non_contrastive" else self.online
        for name in dict.fromkeys(self.online + self.target):
            self.add_module(name, nn.Linear(m if name.endswith("_1") else p, m, bias=bias in ("zero", "uniform")))
            if bias == "constant":
                self.register_parameter(name.replace("W", "b"), nn.Parameter(torch.zeros(m), requires_grad=False))
        self.projector = {"linear": "Wp", "hidden": "Wproj"}.get(self.model["projector"])
        predictor = self.model["predictor"]
        self.predictor = predictor["kind"]
        for name, exists, has_bias in (
            (self.projector, self.projector, True),
            ("Wp", self.predictor in ("linear", "identity", "idle"), predictor.get("bias", True)),
        ):
            if exists:
                self.add_module(name, nn.Linear(m, m, bias=has_bias))
        if self.predictor == "diagonal":
            self.Wp = nn.Module()
            self.Wp.weight, self.Wp.bias = nn.Parameter(torch.ones(m)), nn.Parameter(torch.zeros(m))
        self.norms = self.NORMS[family]
        if self.model["batch_norm"] != "none":
            normed = dict.fromkeys(self.online + self.target + (["Wproj"] if self.projector == "Wproj" else []))
            for name in normed:
                self.add_module(self.norms[name], nn.BatchNorm1d(m))

    def layer(self, name, x):
        linear, kind, placement = getattr(self, name), self.model["activation"], self.model["batch_norm"]
        b = linear.bias if linear.bias is not None else getattr(self, name.replace("W", "b"), None)
        x = F.linear(x, linear.weight, None if kind == "srelu" else b)
        norm = getattr(self, self.norms.get(name, ""), None)
        if placement in ("pre_activation", "pre_and_post_activation"):
            x = norm(x)
        if kind == "relu":
            x = F.relu(x)
        elif kind == "srelu":
            x = F.relu(x - b) - F.relu(-x - b)
        elif kind == "sym_relu":
            x = F.relu(x) - F.relu(-x + 2 * b)
        if placement in ("post_activation", "pre_and_post_activation"):
            x = norm(x)
        return x

    def encode(self, names, x):
        for name in names:
            x = self.layer(name, x)
        return x

    def predict(self, z):
        if self.predictor == "diagonal":
            return z * self.Wp.weight + self.Wp.bias
        return self.Wp(z) if self.predictor in ("linear", "identity") else z

    def forward(self, x1, x2, turn="online"):
        """The loss of a batch; `turn` says which branch of two learns (online, target or joint)."""
        z1, z2 = self.encode(self.online, x1), self.encode(self.target, x2)
        loss, family = self.spec["loss"], self.model["family"]
        if family == "non_contrastive":
            online, target = self.distance(self.predict(z1), z2), self.distance(self.predict(z2), z1)
            value = {"online": online, "target": target, "joint": (online + target) / 2}[turn]
            square = self.Wo.weight.square().sum() + self.Wt.weight.square().sum()
            return value + loss["weight_penalty"] / 2 * square
        if self.projector == "Wproj":
            z1, z2 = self.layer("Wproj", z1), self.layer("Wproj", z2)
        elif self.projector:
            z1, z2 = self.Wp(z1), self.Wp(z2)
        if family == "simsiam":
            cosine = lambda p, z: F.cosine_similarity(p, z.detach(), dim=-1).mean()
            return -(cosine(self.predict(z1), z2) + cosine(self.predict(z2), z1)) / 2
        z1, z2 = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
        batch = len(z1)
        if loss["kind"] == "asymmetric_nt_xent":
            return F.cross_entropy(z1 @ z2.T / loss["temperature"], torch.arange(batch))
        z = torch.cat([z1, z2])
        similarity = (z @ z.T / loss["temperature"]).masked_fill(torch.eye(2 * batch, dtype=torch.bool), -math.inf)
        return F.cross_entropy(similarity, (torch.arange(2 * batch) + batch) % (2 * batch))

    def distance(self, learner, teacher):
        teacher = teacher.detach()
        if self.spec["loss"]["normalize"]:
            learner, teacher = F.normalize(learner, dim=1), F.normalize(teacher, dim=1)
        if self.spec["loss"]["kind"] == "l2":
            return (learner - teacher).square().sum(dim=1).mean()
        return 2 - 2 * (learner * teacher).sum(dim=1).mean()


def load(run):
    """The network of a run's folder, with its final weights."""
    run = pathlib.Path(run)
    spec = read_spec(run / "spec.yaml")
    model = Network(spec).to({"float32": torch.float32, "float64": torch.float64}[spec["dtype"]])
    model.load_state_dict(read_safetensors(run / "final.safetensors"))
    return model


def main(arguments):
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    model = load(arguments[0])
    kind = next(model.parameters()).dtype
    if len(arguments) == 2:
        views = read_safetensors(arguments[1])
        x1, x2 = views["x1"].to(kind), views["x2"].to(kind)
    else:
        x1, x2 = torch.randn(2, 64, model.spec["data"]["p"], dtype=kind)
    turn = "joint" if model.spec["train"]["turns"]["kind"] == "joint" else "online"
    print(repr(model(x1, x2, turn=turn).item()))


if __name__ == "__main__":
    main(sys.argv[1:])

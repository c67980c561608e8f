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
        # SimCLR's projector has the name that a predictor has elsewhere.
        head = "Wp" if family == "contrastive" else "Wproj"
        self.projector = None if self.model["projector"] == "none" else head
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
            normed = dict.fromkeys(self.online + self.target + (["Wproj"] if self.model["projector"] == "hidden" else []))
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
            return value + loss.get("weight_penalty", 0.0) / 2 * square
        if self.model["projector"] == "hidden":
            z1, z2 = self.layer("Wproj", z1), self.layer("Wproj", z2)
        elif self.projector:
            project = getattr(self, self.projector)
            z1, z2 = project(z1), project(z2)
        if family == "simsiam":
            return (self.distance(self.predict(z1), z2) + self.distance(self.predict(z2), z1)) / 2
        return LOSSES_OF_BOTH[loss["kind"]](z1, z2, loss)

    def distance(self, learner, teacher):
        return LOSSES_OF_LEARNER[self.spec["loss"]["kind"]](learner, teacher.detach(), self.spec["loss"])


def inner_product(learner, teacher, loss):
    if loss["normalize"]:
        learner, teacher = F.normalize(learner, dim=1), F.normalize(teacher, dim=1)
    return 2 - 2 * (learner * teacher).sum(dim=1).mean()


def l2(learner, teacher, loss):
    if loss["normalize"]:
        learner, teacher = F.normalize(learner, dim=1), F.normalize(teacher, dim=1)
    return (learner - teacher).square().sum(dim=1).mean()


def negative_cosine(learner, teacher, loss):
    return -F.cosine_similarity(learner, teacher, dim=-1).mean()


def nt_xent(z1, z2, loss):
    z, batch = F.normalize(torch.cat([z1, z2]), dim=1), len(z1)
    similarity = (z @ z.T / loss["temperature"]).masked_fill(torch.eye(2 * batch, dtype=torch.bool), -math.inf)
    return F.cross_entropy(similarity, (torch.arange(2 * batch) + batch) % (2 * batch))


def asymmetric_nt_xent(z1, z2, loss):
    z1, z2 = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    return F.cross_entropy(z1 @ z2.T / loss["temperature"], torch.arange(len(z1)))


def barlow_twins(z1, z2, loss):
    m = z1.shape[1]
    normed = [F.batch_norm(z, None, None, training=True) for z in (z1, z2)]
    correlation = normed[0].T @ normed[1] / len(z1)
    on = torch.eye(m, dtype=torch.bool)
    on_diagonal, off_diagonal = (correlation[on] - 1).square().sum(), correlation[~on].square().sum()
    return loss["scale"] * (on_diagonal + loss["lambda"] * off_diagonal)


def vicreg(z1, z2, loss):
    m, off = z1.shape[1], ~torch.eye(z1.shape[1], dtype=torch.bool)
    hinge = lambda z: F.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()
    covariance = lambda z: torch.cov(z.T)[off].square().sum() / m
    return (
        loss["invariance"] * F.mse_loss(z1, z2)
        + loss["variance"] * (hinge(z1) + hinge(z2)) / 2
        + loss["covariance"] * (covariance(z1) + covariance(z2))
    )


def dcl(z1, z2, loss):
    z, batch = F.normalize(torch.cat([z1, z2]), dim=1), len(z1)
    similarity = z @ z.T / loss["temperature"]
    left_out = torch.eye(batch, dtype=torch.bool).repeat(2, 2)
    positive = torch.cat([similarity.diagonal(batch), similarity.diagonal(-batch)])
    return (similarity.masked_fill(left_out, -math.inf).logsumexp(dim=1) - positive).mean()


def siglip(z1, z2, loss):
    logits = loss["scale"] * F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T + loss["bias"]
    return -F.logsigmoid(logits * (2 * torch.eye(len(z1)) - 1)).sum() / len(z1)


def spectral(z1, z2, loss):
    mu, n = loss["mu"], len(z1)
    if mu is not None:
        z1, z2 = (z * (mu / z.square().sum(dim=1, keepdim=True).clamp(min=mu)).sqrt() for z in (z1, z2))
    similarity = z1 @ z2.T
    positive = similarity.diagonal()
    push = (similarity.square().sum() - positive.square().sum()) / (n * (n - 1))
    return (push - 2 * positive.mean()) / (1 if mu is None else mu)


def alignment_uniformity(z1, z2, loss):
    z1, z2 = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    uniformity = lambda z: (-loss["t"] * torch.pdist(z).square()).exp().mean().log()
    alignment = (z1 - z2).norm(dim=1).pow(loss["alpha"]).mean()
    return alignment + loss["weight"] * (uniformity(z1) + uniformity(z2)) / 2


LOSSES_OF_LEARNER = {loss.__name__: loss for loss in (inner_product, l2, negative_cosine)}
OF_BOTH = (nt_xent, asymmetric_nt_xent, dcl, siglip, spectral, alignment_uniformity, barlow_twins, vicreg)
LOSSES_OF_BOTH = {loss.__name__: loss for loss in OF_BOTH}


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

"""A vectorised rewrite in PyTorch: runs side by side, whole-batch masks, NT-Xent by matrix products, autograd.

    python torch_peer.py THREADS eager|compile
"""

import sys

import torch
import torch.nn.functional as F

from protocol import batches, parameters, serve, turn

torch.set_num_threads(int(sys.argv[1]))
COMPILE = sys.argv[2] == "compile"


def activation(spec, x, b):
    kind = spec["model"]["activation"]
    if kind == "srelu":
        return F.relu(x - b) - F.relu(-x - b)
    if kind == "sym_relu":
        return F.relu(x) - F.relu(2 * b - x)
    return F.relu(x) if kind == "relu" else x


def linear(w, name, a):
    """`a W^T + b` of every run, `(R, B, m)`."""
    weight = w[f"{name}.weight"]
    if len(weight) == 1:
        bias = w[f"{name}.bias"][0, 0] if f"{name}.bias" in w else None
        return F.linear(a[0], weight[0], bias)[None]
    if f"{name}.bias" in w:
        return torch.baddbmm(w[f"{name}.bias"], a, weight.mT)
    return torch.bmm(a, weight.mT)


def batch_norm(w, name, x):
    if len(x) == 1:
        return F.batch_norm(x[0], None, None, w[f"{name}.weight"][0, 0], w[f"{name}.bias"][0, 0], training=True)[None]
    variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def layer(spec, w, name, norm, a):
    """`act(BN?(W a + b))`; the paper's SReLU takes b as its threshold instead."""
    if spec["model"]["activation"] == "srelu":
        x = torch.bmm(a, w[f"{name}.weight"].mT)
    else:
        x = linear(w, name, a)
    if f"{norm}.weight" in w:
        x = batch_norm(w, norm, x)
    return activation(spec, x, w.get(f"{name}.bias"))


def branch(spec, w, view, a):
    """Encoder and projector of one view."""
    model = spec["model"]
    family, layers = model["family"], model["layers"]
    name = "Wo" if view == 0 or family != "non_contrastive" else "Wt"
    norms = {"non_contrastive": ("bno", "bno_1"), "contrastive": ("bn1", "bn2"), "simsiam": ("norm1", "norm2")}[family]
    if name == "Wt":
        norms = ("bnt", "bnt_1")
    for suffix, norm in list(zip(("", "_1"), norms))[:layers]:
        a = layer(spec, w, name + suffix, norm, a)
    if family == "non_contrastive" or model["projector"] == "none":
        return a
    if family == "contrastive":
        return linear(w, "Wp", a)
    return layer(spec, w, "Wproj", "norm2", a) if model["projector"] == "hidden" else linear(w, "Wproj", a)


def nt_xent(z1, z2, temperature):
    """Cosines are at most 1, so `exp((s - 1) / t)` cannot overflow and needs no search for the largest."""
    u = F.normalize(torch.cat([z1, z2], 1), dim=2)
    e = torch.exp((torch.bmm(u, u.mT) - 1) / temperature)
    sums = e.sum(2) - torch.diagonal(e, dim1=1, dim2=2)
    b = z1.shape[1]
    partner = ((u[:, :b] * u[:, b:]).sum(2) - 1) / temperature
    return (torch.log(sums).mean(1) - partner.mean(1)).sum()


def loss(spec, w, x1, x2, learner):
    """Sum over the runs, so that each run's gradient is its own."""
    kind, family = spec["loss"]["kind"], spec["model"]["family"]
    z = branch(spec, w, 0, x1), branch(spec, w, 1, x2)
    if kind == "nt_xent":
        return nt_xent(*z, spec["loss"]["temperature"])

    def distance(k):
        q, t = linear(w, "Wp", z[k]) if "Wp.weight" in w else z[k], z[1 - k].detach()
        if kind == "negative_cosine":
            return -F.cosine_similarity(q, t, dim=2, eps=1e-8).mean(1).sum()
        if spec["loss"]["normalize"]:
            q, t = F.normalize(q, dim=2), F.normalize(t, dim=2)
        if kind == "l2":
            return (q - t).square().sum(2).mean(1).sum()
        return (2 - 2 * (q * t).sum(2).mean(1)).sum()

    return distance(learner) if learner is not None else (distance(0) + distance(1)) / 2


# The bits of every byte, as numbers: a table look-up expands random words into masks.
BITS = ((torch.arange(256)[:, None] >> torch.arange(8)) & 1).float()


def draw_views(x, order):
    """Both views of a batch of every run, `(R, B, p)`, of samples `(R n, p)` by their rows `(R, B)`."""
    (r, b), p = order.shape, x.shape[1]
    samples = x.index_select(0, order.flatten()).view(r, b, p)
    words = torch.empty(2 * r * b, dtype=torch.int64).random_()  # 63 random bits each
    keep = F.embedding(words.view(torch.uint8).int(), BITS).view(2, r, b, 64)[..., :p]
    return samples * keep[0], samples * keep[1]


class Torch:
    def load(self, spec, runs, x, state):
        assert spec["views"] == {"masks": "independent", "masking_prob": 0.5, "pairs": 1}
        self.spec, self.runs = spec, runs
        self.state = {name: torch.tensor(value, dtype=torch.float32) for name, value in parameters(state).items()}
        self.x = torch.tensor(x, dtype=torch.float32).repeat(runs, 1)
        self.w = self.parameters(runs)
        self.loss = torch.compile(loss, dynamic=False) if COMPILE else loss

    def parameters(self, runs):
        """Vectors as `(R, 1, m)`, matrices as `(R, m, p)`."""
        shape = lambda value: value if value.ndim == 2 else value[None]
        return {name: shape(value).repeat(runs, 1, 1).requires_grad_() for name, value in self.state.items()}

    def descend(self, w, value, learner):
        """SGD on what learns in this turn."""
        resting = {0: "Wt", 1: "Wo"}.get(learner, "none"), {0: "bnt", 1: "bno"}.get(learner, "none")
        learning = [value for name, value in w.items() if not name.startswith(resting)]
        gradients = torch.autograd.grad(value, learning)
        with torch.no_grad():
            torch._foreach_add_(learning, gradients, alpha=-self.spec["train"]["lr"])

    def check(self, x1, x2, steps):
        w, losses = self.parameters(1), []
        x1, x2 = (torch.tensor(x, dtype=torch.float32)[None] for x in (x1, x2))
        for k in range(steps):
            learner = turn(self.spec, k)
            value = loss(self.spec, w, x1, x2, learner)
            losses.append(value.item())
            self.descend(w, value, learner)
        return losses

    def train(self, epochs):
        for _ in range(epochs):
            n = len(self.x) // self.runs
            order = torch.stack([r * n + torch.randperm(n) for r in range(self.runs)])
            start = 0
            for k, size in enumerate(batches(self.spec)):
                learner = turn(self.spec, k)
                x1, x2 = draw_views(self.x, order[:, start : start + size])
                value = self.loss(self.spec, self.w, x1, x2, learner)
                self.descend(self.w, value, learner)
                start += size
            # What a run would record of an epoch.
            self.last_loss = value.item()


serve(Torch())

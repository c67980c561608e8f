"""Every loss of the program in plain PyTorch, by its name under `loss.kind`.

A loss is between two views' representations `(B, m)`; its settings are those under `loss`. The losses of a learner and a
teacher come first; the caller takes the gradient from the teacher.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Settings = dict[str, Any]
Loss = Callable[[Tensor, Tensor, Settings], Tensor]


def _unit(z: Tensor) -> Tensor:
    return F.normalize(z, dim=1)


def inner_product(learner: Tensor, teacher: Tensor, loss: Settings) -> Tensor:
    """`2 - 2 <q, t>` (Eq. 6, 8, 15)"""
    if loss["normalize"]:
        learner, teacher = _unit(learner), _unit(teacher)
    return 2 - 2 * (learner * teacher).sum(dim=1).mean()


def l2(learner: Tensor, teacher: Tensor, loss: Settings) -> Tensor:
    """`|q - t|^2` (Eq. 4, 5)"""
    if loss["normalize"]:
        learner, teacher = _unit(learner), _unit(teacher)
    return (learner - teacher).square().sum(dim=1).mean()


def negative_cosine(learner: Tensor, teacher: Tensor, loss: Settings) -> Tensor:
    """SimSiam."""
    return -F.cosine_similarity(learner, teacher, dim=-1).mean()


def nt_xent(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """SimCLR."""
    z, batch = _unit(torch.cat([z1, z2])), len(z1)
    similarity = (z @ z.T / loss["temperature"]).masked_fill(torch.eye(2 * batch, dtype=torch.bool), -math.inf)
    return F.cross_entropy(similarity, (torch.arange(2 * batch) + batch) % (2 * batch))


def asymmetric_nt_xent(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """Each sample of view 1 against all of view 2 (Eq. 9)."""
    return F.cross_entropy(_unit(z1) @ _unit(z2).T / loss["temperature"], torch.arange(len(z1)))


def dcl(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """NT-Xent without the positive in the denominator."""
    z, batch = _unit(torch.cat([z1, z2])), len(z1)
    similarity = z @ z.T / loss["temperature"]
    left_out = torch.eye(batch, dtype=torch.bool).repeat(2, 2)
    positive = torch.cat([similarity.diagonal(batch), similarity.diagonal(-batch)])
    return (similarity.masked_fill(left_out, -math.inf).logsumexp(dim=1) - positive).mean()


def siglip(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """Each pair is classified by itself."""
    logits: Tensor = loss["scale"] * _unit(z1) @ _unit(z2).T + loss["bias"]
    return -F.logsigmoid(logits * (2 * torch.eye(len(z1), dtype=z1.dtype) - 1)).sum() / len(z1)


def spectral(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """Spectral contrastive; `mu` bounds the square of a representation's length."""
    mu, n = loss["mu"], len(z1)
    if mu is not None:
        z1, z2 = (z * (mu / z.square().sum(dim=1, keepdim=True).clamp(min=mu)).sqrt() for z in (z1, z2))
    similarity = z1 @ z2.T
    positive = similarity.diagonal()
    push = (similarity.square().sum() - positive.square().sum()) / (n * (n - 1))
    return (push - 2 * positive.mean()) / (1 if mu is None else mu)


def alignment_uniformity(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """Partners near, all samples far apart."""

    def uniformity(z: Tensor) -> Tensor:
        return (-loss["t"] * torch.pdist(z).square()).exp().mean().log()

    z1, z2 = _unit(z1), _unit(z2)
    alignment = (z1 - z2).norm(dim=1).pow(loss["alpha"]).mean()
    return alignment + loss["weight"] * (uniformity(z1) + uniformity(z2)) / 2


def barlow_twins(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """Neurons of both views correlate with themselves alone."""
    on = torch.eye(z1.shape[1], dtype=torch.bool)
    first, second = (F.batch_norm(z, None, None, training=True) for z in (z1, z2))
    correlation = first.T @ second / len(z1)
    on_diagonal, off_diagonal = (correlation[on] - 1).square().sum(), correlation[~on].square().sum()
    return loss["scale"] * (on_diagonal + loss["lambda"] * off_diagonal)


def vicreg(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """Views agree, neurons vary, and no two say the same."""
    m = z1.shape[1]
    off = ~torch.eye(m, dtype=torch.bool)

    def hinge(z: Tensor) -> Tensor:
        return F.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()

    def covariance(z: Tensor) -> Tensor:
        return torch.cov(z.T)[off].square().sum() / m

    return (
        loss["invariance"] * F.mse_loss(z1, z2)
        + loss["variance"] * (hinge(z1) + hinge(z2)) / 2
        + loss["covariance"] * (covariance(z1) + covariance(z2))
    )


def sigreg(z1: Tensor, z2: Tensor, loss: Settings) -> Tensor:
    """Views agree, and are Gaussian along the directions `(m, S)` that were drawn for the step (LeJEPA)."""
    if "drawn" not in loss:
        raise ValueError("this loss draws at every step: give forward() what it drew, Batch.drawn")
    directions: Tensor = loss["drawn"]
    t = torch.linspace(0, 3, 17, dtype=z1.dtype)
    phi = (-t.square() / 2).exp()
    weights = 2 * (t[1] - t[0]) * phi
    weights[[0, -1]] /= 2

    def statistic(z: Tensor) -> Tensor:
        angles = (z @ directions).unsqueeze(-1) * t  # (B, S, K)
        apart = (angles.cos().mean(dim=0) - phi).square() + angles.sin().mean(dim=0).square()
        return len(z) * (apart @ weights).mean()

    apart, gaussian = F.mse_loss(z1, z2) / 4, (statistic(z1) + statistic(z2)) / 2
    return (1 - loss["weight"]) * apart + loss["weight"] * gaussian


LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (
        inner_product,
        l2,
        negative_cosine,
        nt_xent,
        asymmetric_nt_xent,
        dcl,
        siglip,
        spectral,
        alignment_uniformity,
        barlow_twins,
        vicreg,
        sigreg,
    )
}

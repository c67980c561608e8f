"""A run's network as PyTorch modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from .losses import LOSSES
from .schema import LayerNames, layer_names


class Diagonal(nn.Module):
    """An elementwise scale and shift: the predictor of `simsiam-diag`."""

    def __init__(self, m: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(m)), nn.Parameter(torch.zeros(m))

    def forward(self, z: Tensor) -> Tensor:
        return z * self.weight + self.bias


class Network(nn.Module):
    """The network of a run, its loss on two views as the forward pass.

    Submodules and the state dict have the names of the authors' modules: `network.Wo.weight` is W^o, `(m, p)`. Batch norms
    are in training mode, as in a run.
    """

    def __init__(self, spec: dict[str, Any], weights: Mapping[str, NDArray[Any]]) -> None:
        """All settings of a run (`Run.spec`), and parameters by name."""
        super().__init__()
        self.spec: dict[str, Any] = spec
        model = spec["model"]
        names = layer_names(model["family"], model["layers"])
        self._layers = [layer for layer in names if f"{layer.linear}.weight" in weights]
        for layer in self._layers:
            self._add(layer, weights)
        self.to(torch.float64 if spec["dtype"] == "float64" else torch.float32)
        self.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
        for layer in self._layers:
            direct = layer.part == "predictor" and model["predictor"]["kind"] == "direct"
            frozen = direct or layer.part in model["frozen"]
            for module in self._modules_of(layer):
                module.requires_grad_(not frozen)

    def _add(self, layer: LayerNames, weights: Mapping[str, NDArray[Any]]) -> None:
        shape = weights[f"{layer.linear}.weight"].shape
        biased = f"{layer.linear}.bias" in weights
        self.add_module(layer.linear, nn.Linear(shape[1], shape[0], biased) if len(shape) == 2 else Diagonal(shape[0]))
        if layer.constant_bias in weights:
            assert layer.constant_bias is not None
            self.register_buffer(layer.constant_bias, torch.zeros(shape[0]))
        if layer.norm is not None and f"{layer.norm}.running_mean" in weights:
            self.add_module(layer.norm, nn.BatchNorm1d(shape[0]))
        if f"{layer.linear}.moment" in weights:  # of a predictor in closed form
            getattr(self, layer.linear).register_buffer("moment", torch.zeros(shape[0], shape[0]))

    def _modules_of(self, layer: LayerNames) -> list[nn.Module]:
        norm = getattr(self, layer.norm, None) if layer.norm else None
        return [getattr(self, layer.linear), *([] if norm is None else [norm])]

    def _part(self, part: str) -> list[LayerNames]:
        return [layer for layer in self._layers if layer.part == part]

    def learning(self, turn: str = "joint") -> list[nn.Parameter]:
        """The parameters that learn in a turn: online, target or joint."""
        resting = {"online": "target", "target": "encoder"}.get(turn)
        modules = [module for layer in self._layers if layer.part != resting for module in self._modules_of(layer)]
        return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]

    def encode(self, x: Tensor | ArrayLike, part: str = "encoder") -> Tensor:
        """Representations `(B, m)` of inputs `(B, p)` by the online (or only) encoder, or by the `target`."""
        h = self._tensor(x)
        for layer in self._part(part):
            h = self._hidden(layer, h)
        return h

    def forward(
        self,
        x1: Tensor | ArrayLike,
        x2: Tensor | ArrayLike,
        turn: str = "joint",
        drawn: Tensor | ArrayLike | None = None,
    ) -> Tensor:
        """The loss of a batch of views `(B, p)`; `turn` says who learns: online, target or joint.

        A loss that draws at every step is given what it drew, `(m, draws)`: `Batch.drawn`.
        """
        loss, family = dict(self.spec["loss"]), self.spec["model"]["family"]
        if drawn is not None:
            loss["drawn"] = self._tensor(drawn)
        two = family == "non_contrastive"
        z1 = self._project(self.encode(x1))
        z2 = self._project(self.encode(x2, "target" if two else "encoder"))
        if family == "contrastive":
            return LOSSES[loss["kind"]](z1, z2, loss)
        online, target = self._distance(z1, z2), self._distance(z2, z1)
        if not two:
            return (online + target) / 2
        value = {"online": online, "target": target, "joint": (online + target) / 2}[turn]
        first = [self._part(part)[0].linear for part in ("encoder", "target")]
        penalty: float = loss.get("weight_penalty", 0.0) / 2
        return value + sum(penalty * getattr(self, name).weight.square().sum() for name in first)

    def _tensor(self, x: Tensor | ArrayLike) -> Tensor:
        weight = next(self.parameters())
        return torch.as_tensor(x, dtype=weight.dtype, device=weight.device)

    def _distance(self, learner: Tensor, teacher: Tensor) -> Tensor:
        loss = self.spec["loss"]
        return LOSSES[loss["kind"]](self._predict(learner), teacher.detach(), loss)

    def _predict(self, z: Tensor) -> Tensor:
        predictor = self.spec["model"]["predictor"]
        if predictor["kind"] in ("none", "idle"):
            return z
        (layer,) = self._part("predictor")
        prediction: Tensor = getattr(self, layer.linear)(z)
        # The gradient of an isotropic predictor passes it by.
        return z + (prediction - z).detach() if predictor.get("isotropic") else prediction

    def _project(self, z: Tensor) -> Tensor:
        for layer in self._part("projector"):
            z = self._hidden(layer, z) if self.spec["model"]["projector"] == "hidden" else getattr(self, layer.linear)(z)
        return z

    def _hidden(self, layer: LayerNames, x: Tensor) -> Tensor:
        """Linear map, batch norm and activation, in the order that the settings say."""
        linear: nn.Linear = getattr(self, layer.linear)
        activation, placement = self.spec["model"]["activation"], self.spec["model"]["batch_norm"]
        b = getattr(self, layer.constant_bias, None) if linear.bias is None and layer.constant_bias else linear.bias
        # Under SReLU the bias is a threshold and is not added.
        x = F.linear(x, linear.weight, None if activation == "srelu" else b)
        if placement in ("pre_activation", "pre_and_post_activation"):
            x = self._norm(layer, x)
        if activation == "relu":
            x = F.relu(x)
        elif activation == "srelu":
            assert b is not None
            x = F.relu(x - b) - F.relu(-x - b)
        elif activation == "sym_relu":
            assert b is not None
            x = F.relu(x) - F.relu(-x + 2 * b)
        if placement in ("post_activation", "pre_and_post_activation"):
            x = self._norm(layer, x)
        return x

    def _norm(self, layer: LayerNames, x: Tensor) -> Tensor:
        normed: Tensor = getattr(self, layer.norm or "")(x)
        return normed

"""Writes final_model.pt beside this file: every kind of tensor that the authors' saved state dicts hold."""

from collections import OrderedDict
from pathlib import Path

import torch

bias = torch.tensor([0.5, -0.5])
state = OrderedDict()
state["Wo.weight"] = torch.arange(6.0).reshape(3, 2).T
state["Wo.bias"] = bias
state["Wt.weight"] = torch.ones(3, 2).T
state["Wt.bias"] = bias
state["bo"] = bias
state["double"] = torch.tensor([1 / 3], dtype=torch.float64)
state["bno.num_batches_tracked"] = torch.tensor(7)
torch.save({"model_state_dict": state}, Path(__file__).with_name("final_model.pt"))

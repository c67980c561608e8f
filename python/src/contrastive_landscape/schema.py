"""What a reader of results needs to know, from `schema.json`: what `landscape schema` prints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class LayerNames:
    """What the names of a layer's parameters begin with."""

    part: str
    """encoder, target, projector or predictor"""
    depth: int
    """Layers of the part before it."""
    linear: str
    norm: str | None
    constant_bias: str | None


@cache
def schema() -> dict[str, Any]:
    """The whole file."""
    text = resources.files(__package__).joinpath("schema.json").read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def layer_names(family: str, layers: int) -> list[LayerNames]:
    """The layers that a network can have, in forward order within each part."""
    for entry in schema()["layers"]:
        if (entry["family"], entry["layers"]) == (family, layers):
            return [LayerNames(**names) for names in entry["names"]]
    raise ValueError(f"no names are known for the family {family} with {layers} layers")


def with_left_out(spec: dict[str, Any]) -> dict[str, Any]:
    """The settings of a `spec.yaml`, with those that it does not say."""
    return _merged(schema()["left_out"], spec)


def _merged(base: dict[str, Any] | None, over: dict[str, Any]) -> dict[str, Any]:
    out = dict(over)
    for key, value in (base or {}).items():
        if key not in out:
            out[key] = value
        elif isinstance(value, dict) and isinstance(out[key], dict):
            if "kind" not in value or value["kind"] == out[key].get("kind"):  # keys of one kind mean nothing to another
                out[key] = _merged(value, out[key])
    return out

"""A safetensors file in memory: named tensors, and what their metadata says."""

import json

import safetensors.torch
from torch import Tensor


def read_tensors(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata; raises SafetensorError, ValueError or KeyError where it is no file."""
    tensors = safetensors.torch.load(data)
    header_size = int.from_bytes(data[:8], "little")
    return tensors, json.loads(data[8 : 8 + header_size])["__metadata__"]

"""SERL's published ResNet-10, a pickle of flax, as a file of this package.

A pickle can run any program. This one is read by an unpickler that knows arrays and dictionaries
and refuses all else.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from serl_learner.backbone import Backbone, ResNet10, make_backbone, save_backbone
from serl_learner.backbone_weights import check_shapes, shapes
from serl_learner.config import ConfigError

CLASSIFIER = "output_head"  # on top of the features, not needed here


def convert_serl_weights(pickle_path: str | Path, output_path: str | Path) -> Backbone:
    """Writes `output_path` (.safetensors) from SERL's resnet10_params.pkl. What it has written."""
    arrays = _flatten(_unpickle(Path(pickle_path)), str(pickle_path))
    with torch.device("meta"):
        expected = shapes(ResNet10().state_dict())
    found = {_flax_name(key): key for key in expected}
    check_shapes(
        str(pickle_path),
        {name: array.shape for name, array in arrays.items()},
        {name: _flax_shape(expected[key]) for name, key in found.items()},
    )
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ConfigError(f"{pickle_path}: {name}: expected floats, got {array.dtype}")
        if not np.isfinite(array).all():
            raise ConfigError(f"{pickle_path}: {name}: expected finite numbers, got nan or inf")
    backbone = make_backbone("resnet10", "random")
    backbone.network.load_state_dict({key: to_torch(arrays[name]) for name, key in found.items()})
    save_backbone(backbone, output_path)
    return make_backbone("resnet10", str(output_path))


def to_torch(array: np.ndarray) -> Tensor:
    """A convolution's kernel (height, width, in, out) -> (out, in, height, width); others as is."""
    if array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    return torch.from_numpy(np.array(array, dtype=np.float32))


def _flax_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape


_FLAX_MODULES = {
    "conv1": "Conv_0",
    "norm1": "MyGroupNorm_0",
    "conv2": "Conv_1",
    "norm2": "MyGroupNorm_1",
}  # the others are called the same


def _flax_name(key: str) -> str:
    """blocks.0.conv1.weight -> ResNetBlock_0/Conv_0/kernel"""
    *block, module, leaf = key.split(".")
    if leaf == "weight":
        leaf = "kernel" if module.startswith("conv") else "scale"
    path = [f"ResNetBlock_{block[1]}"] if block else []
    return "/".join([*path, _FLAX_MODULES.get(module, module), leaf])


def _flatten(tree: Any, where: str, path: str = "") -> dict[str, np.ndarray]:
    """Nested dictionaries as one, with names such as norm_init/scale."""
    if isinstance(tree, np.ndarray):
        return {path: tree}
    if not isinstance(tree, dict):
        where = f"{where}: {path}" if path else where
        kind = type(tree).__name__
        raise ConfigError(f"{where}: expected arrays in dictionaries, got {kind}")
    flat = {}
    for key, value in tree.items():
        if path or key != CLASSIFIER:
            flat |= _flatten(value, where, f"{path}/{key}" if path else str(key))
    return flat


def _unpickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _ArraysOnly(file).load()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to mean
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{path}: not a pickle: {reason}") from None


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ConfigError(f"refused: expected arrays in dictionaries, got {module}.{name}")
        return _ALLOWED[module, name]


# As NumPy names them itself, wherever its version at hand keeps them.
_reconstruct = np.empty(0).__reduce__()[0]
_scalar = np.float32(0).__reduce__()[0]
_from_buffer = np.empty(0).__reduce_ex__(5)[0]


def _reconstruct_jax(_function: Any, arguments: tuple, state: tuple, _attributes: dict) -> Any:
    """An array of jax, which pickles as one of NumPy with a few attributes."""
    array = _reconstruct(*arguments)
    array.__setstate__(state)
    return array


_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("flax.core.frozen_dict", "FrozenDict"): dict,
    ("jax._src.array", "_reconstruct_array"): _reconstruct_jax,
}
for _core in ("numpy.core", "numpy._core"):  # before NumPy 2, and since
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _from_buffer

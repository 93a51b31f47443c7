"""Where the weights of a backbone come from: a fixed draw, torchvision, or a file."""

import math
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import torch
from torch import Tensor

from serl_learner.config import ConfigError

State = dict[str, Tensor]  # by name, as nn.Module.state_dict gives it
Shapes = Mapping[str, tuple[int, ...]]

# What torch.load raises on a file that is cut off, damaged, or something else.
_DAMAGE = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError)


def load_weights(name: str, weights: str, like: State) -> State:
    """The weights for the backbone `name`, float32, with the names and shapes of `like`."""
    if weights == "random":
        return _random(like)
    if weights == "imagenet":
        if name != "resnet18":
            raise ConfigError(
                f"encoder.weights: expected random or a file for {name}, got imagenet"
            )
        where, state = "imagenet", _torchvision(_download())
    else:
        where, state = weights, _read(name, Path(weights).expanduser())
    check_shapes(where, shapes(state), shapes(like))
    return {key: value.float() for key, value in state.items()}


def shapes(state: State) -> Shapes:
    return {key: tuple(value.shape) for key, value in state.items()}


def check_shapes(where: str, got: Shapes, expected: Shapes) -> None:
    """Refuses tensors that are missing, too many, or of another shape."""
    for key, shape in expected.items():
        if key not in got:
            raise ConfigError(f"{where}: {key}: expected a tensor {shape}, got none")
        if got[key] != shape:
            raise ConfigError(f"{where}: {key}: expected a tensor {shape}, got {got[key]}")
    for key in got:
        if key not in expected:
            raise ConfigError(f"{where}: {key}: expected no such tensor")


def _random(like: State) -> State:
    """He's initialisation, for the outputs' fan; norms that change nothing.

    Every machine must draw the same: NumPy's generator in double precision does, torch's does not.
    """
    generator = np.random.Generator(np.random.PCG64(0))
    return {key: _draw(key, tuple(value.shape), generator) for key, value in like.items()}


def _draw(key: str, shape: tuple[int, ...], generator: np.random.Generator) -> Tensor:
    if len(shape) == 4:  # of a convolution: outputs, inputs, height, width
        std = math.sqrt(2.0 / (shape[0] * shape[2] * shape[3]))
        return torch.from_numpy(std * generator.standard_normal(shape)).float()
    return torch.ones(shape) if key.endswith(("weight", "running_var")) else torch.zeros(shape)


def _download() -> State:
    """ResNet-18 of torchvision, which keeps what it has downloaded in the cache of torch's hub."""
    from torchvision.models import ResNet18_Weights

    weights = ResNet18_Weights.IMAGENET1K_V1
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except _DAMAGE as error:
        raise ConfigError(f"{cached}: damaged, remove it: {_line(error)}") from None
    except OSError as error:
        raise ConfigError(
            f"encoder.weights: imagenet: no {cached}, and no download: {_line(error)}; give a file,"
            " or random, or copy this one from a machine with internet"
        ) from None


def _read(name: str, path: Path) -> State:
    suffixes = (".safetensors", ".pth") if name == "resnet18" else (".safetensors",)
    if path.suffix not in suffixes:
        choices = "random, imagenet" if name == "resnet18" else "random"
        raise ConfigError(
            f"encoder.weights: expected {choices} or a {' or '.join(suffixes)} file for {name},"
            f" got {path}"
        )
    if not path.is_file():
        raise ConfigError(f"encoder.weights: {path}: no such file")
    try:
        return _read_torchvision(path) if path.suffix == ".pth" else _read_own(name, path)
    except OSError as error:
        raise ConfigError(f"encoder.weights: {path}: cannot be read: {_line(error)}") from None


def _read_own(name: str, path: Path) -> State:
    try:
        with safetensors.safe_open(path, "pt") as file:
            found = (file.metadata() or {}).get("backbone", "no backbone")
            if found != name:
                raise ConfigError(f"{path}: expected weights of {name}, got {found}")
            keys = file.keys()
            return {key: file.get_tensor(key) for key in keys}
    except safetensors.SafetensorError as error:
        raise ConfigError(f"{path}: not a safetensors file: {_line(error)}") from None


def _read_torchvision(path: Path) -> State:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise ConfigError(f"{path}: not a file of weights: {_line(error)}") from None
    pairs = state.items() if isinstance(state, dict) else [(None, None)]
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in pairs):
        raise ConfigError(f"{path}: expected a dictionary of tensors, as torchvision's")
    return _torchvision(state)


def _torchvision(state: State) -> State:
    """Without the classifier on top of the features, and what only training needs."""
    return {
        key: value
        for key, value in state.items()
        if not key.startswith("fc.") and not key.endswith(".num_batches_tracked")
    }


def _line(error: Exception) -> str:
    """The first sentence of torch's long explanations."""
    lines = str(getattr(error, "reason", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

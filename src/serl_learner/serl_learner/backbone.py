"""The convolutional networks that see: ResNet-10 of SERL, ResNet-18, and small ones to train."""

import functools
import hashlib
import math
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serl_learner.backbone_weights import load_weights
from serl_learner.compute import multiplies_bfloat16
from serl_learner.config import ConfigError, expect

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
TRAINED = ("small", "tiny")  # the others are frozen
SMALLEST = 31  # px, height and width: below it, `small` has no feature left


class Backbone(nn.Module):
    """Images to feature maps. A frozen one never changes: its digest tells which one it is."""

    def __init__(self, name: str, network: nn.Module, frozen: bool) -> None:
        """`digest` is empty where the weights are trained."""
        super().__init__()
        self.name = name
        self.frozen = frozen
        self._dtype = torch.float32  # of the network
        self.network = network
        self.digest = _digest(network) if frozen else ""
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        self.register_buffer("_mean", (255 * mean).view(3, 1, 1), persistent=False)
        self.register_buffer("_scale", (1 / (255 * std)).view(3, 1, 1), persistent=False)
        if frozen:
            # Images come with the channels last, in which order a CPU is faster too.
            self.network.to(memory_format=torch.channels_last).requires_grad_(False)
            self.eval()

    @property
    def device(self) -> torch.device:
        return self._mean.device

    def train(self, mode: bool = True) -> "Backbone":
        return super().train(mode and not self.frozen)

    def accelerate(self) -> "Backbone":
        """Computes in bfloat16 from now on, if frozen and on a CPU that multiplies it: at twice the
        speed, and features that differ by a hundredth. Returns itself."""
        if self.frozen and self.device.type == "cpu" and multiplies_bfloat16():
            self.network.to(torch.bfloat16)
            self._dtype = torch.bfloat16
        return self

    def forward(self, images: Tensor) -> Tensor:
        """RGB images (M, H, W, 3) uint8 -> features (M, C, h, w) float32"""
        x = (images.permute(0, 3, 1, 2) - self._mean) * self._scale
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.network(x.to(self._dtype)).float().contiguous()

    def feature_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(C, h, w) for images of height x width px"""
        if self.name == "tiny":
            return 64, math.ceil(height / 16), math.ceil(width / 16)
        if self.name != "small":
            return 512, math.ceil(height / 32), math.ceil(width / 32)
        size = f"{SMALLEST}x{SMALLEST} px"
        expect(min(height, width) >= SMALLEST, "images", f"at least {size}", f"{height}x{width}")
        for _ in range(4):
            height, width = (height - 1) // 2, (width - 1) // 2
        return 256, height, width


def make_backbone(name: str, weights: str) -> Backbone:
    """By its name, with weights: random, imagenet (resnet18) or, where frozen, a file's path.

    "random" gives the same weights everywhere, always, and leaves torch's generator alone.
    """
    if name not in _NETWORKS:
        raise ConfigError(f"encoder.backbone: expected one of {', '.join(_NETWORKS)}, got {name}")
    if name in TRAINED and weights != "random":
        raise ConfigError(f"encoder.weights: expected random for {name}, got {weights}")
    with torch.device("meta"):  # no random weights, which are replaced anyway
        network = _NETWORKS[name]()
    network.load_state_dict(load_weights(name, weights, network.state_dict()), assign=True)
    return Backbone(name, network, frozen=name not in TRAINED)


def shared_backbone(name: str, weights: str, digest: str) -> Backbone:
    """The frozen backbone of that digest, once per process; without a digest a trained one, new.

    Raises ConfigError where the weights here are others: what was learned from its features, a
    policy or a classifier, would see nothing that it knows.
    """
    if not digest:
        return make_backbone(name, weights)
    backbone = _frozen_backbone(name, weights)
    if backbone.digest != digest:
        raise ConfigError(
            f"encoder.weights: {weights} gives {name} {backbone.digest[:12]},"
            f" expected {digest[:12]}, with which it was trained"
        )
    return backbone


@functools.cache
def _frozen_backbone(name: str, weights: str) -> Backbone:
    return make_backbone(name, weights).accelerate()


def save_backbone(backbone: Backbone, path: str | Path) -> None:
    """A safetensors file that `make_backbone` takes as weights. Whole, or not there."""
    path = Path(path)
    state = {
        name: value.cpu().contiguous() for name, value in backbone.network.state_dict().items()
    }
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_bytes(safetensors.torch.save(state, {"backbone": backbone.name}))
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from None


class ResNet10(nn.Module):
    """SERL's, with the padding of flax: weights that were trained there see the same here."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_init = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.norm_init = nn.GroupNorm(4, 64)
        sizes = ((64, 64), (64, 128), (128, 256), (256, 512))
        self.blocks = nn.Sequential(*(_Block(inputs, outputs) for inputs, outputs in sizes))

    def forward(self, x: Tensor) -> Tensor:
        """(M, 3, H, W) -> (M, 512, H / 32, W / 32), rounded up"""
        x = self.norm_init(self.conv_init(x))
        # "SAME" in flax: of an even size, the last window reaches beyond the end and none before
        # the start; of an odd size, one pixel at both.
        odd = x.shape[2] % 2, x.shape[3] % 2
        x = F.max_pool2d(x, 3, stride=2, padding=odd, ceil_mode=True)
        return self.blocks(F.relu_(x))  # after the pooling, which it does not change: a quarter


class _Block(nn.Module):
    """Two convolutions and a way around them. It halves the image where it widens the features."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halves = inputs != outputs
        stride, padding = (2, 0) if self.halves else (1, 1)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding, bias=False)
        self.norm1 = nn.GroupNorm(4, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(4, outputs)
        if self.halves:
            self.conv_proj = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.norm_proj = nn.GroupNorm(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        around = self.norm_proj(self.conv_proj(x)) if self.halves else x
        if self.halves:  # "SAME" again, see above
            x = F.pad(x, (x.shape[3] % 2, 1, x.shape[2] % 2, 1))
        x = F.relu_(self.norm1(self.conv1(x)))
        return F.relu_(self.norm2(self.conv2(x)).add_(around))


def _resnet18() -> nn.Module:
    """torchvision's, up to its features, with the names of its tensors."""
    from torchvision.models import resnet18  # a second to import, for those who use it
    from torchvision.ops import FrozenBatchNorm2d  # batch normalisation in evaluation mode

    *layers, _, _ = resnet18(norm_layer=FrozenBatchNorm2d).named_children()
    network = nn.Sequential()
    for name, layer in layers:
        network.add_module(name, layer)
    return network


def _small() -> nn.Module:
    """The convolutions of SERL's SmallEncoder."""
    sizes = ((3, 32), (32, 64), (64, 128), (128, 256))
    layers = [(nn.Conv2d(inputs, outputs, 3, stride=2), nn.ReLU()) for inputs, outputs in sizes]
    return nn.Sequential(*(module for layer in layers for module in layer))


def _tiny() -> nn.Module:
    """A quarter of `small`'s time, with norms: learns from a thousand images within minutes."""
    sizes = ((3, 16), (16, 32), (32, 64), (64, 64))
    layers = [
        (nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.GroupNorm(4, outputs), nn.ReLU())
        for inputs, outputs in sizes
    ]
    return nn.Sequential(*(module for layer in layers for module in layer))


_NETWORKS = {"resnet10": ResNet10, "resnet18": _resnet18, "small": _small, "tiny": _tiny}


def _digest(network: nn.Module) -> str:
    """SHA-256, in hexadecimal, of the names, shapes and values of all weights."""
    sha = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        sha.update(f"{name} {tuple(value.shape)}".encode())
        sha.update(value.cpu().contiguous().numpy())
    return sha.hexdigest()

"""From an observation to the encoding that actor and critic share (SERL, section 4.1).

The features of a frozen backbone are compressed. Each camera's then go through spatial learned
embeddings, dropout and a bottleneck of its own; the proprioception through a narrow layer beside
them. All cameras are computed in one pass.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from serl_learner.backbone import TRAINED, Backbone
from serl_learner.compression import Compression
from serl_learner.config import expect
from serl_learner.networks import EnsembleLayerNormTanh, EnsembleLinear
from serl_learner.normalizer import Normalizer
from serl_learner.transition import ObservationSpec


@dataclass(frozen=True)
class EncoderConfig:
    """How images are seen. Sizes are SERL's, but for the channels, of which SERL keeps all."""

    backbone: str = "resnet10"  # or resnet18, both frozen; small, tiny: trained with the heads
    weights: str = "random"  # of the backbone: random, imagenet (resnet18), or a file
    stored_views: int = 2  # shifted views whose features are kept per frame; 0: keep the pixels
    channels: int = 64  # of a frozen backbone's, compressed to so many by what demonstrations show
    frame_stack: int = 1  # newest frames of each camera, seen together; each shifted by itself
    shift: int = 4  # px, random in both directions; 0: no augmentation
    embeddings: int = 8  # spatial kernels per channel of the backbone's features
    dropout: float = 0.1  # of the embeddings, where the policy is trained
    bottleneck: int = 256  # per camera
    proprioception: int = 64  # of all vectors together, where there are images beside them

    def __post_init__(self) -> None:
        expect(self.stored_views >= 0, "stored_views", "at least 0", self.stored_views)
        expect(self.shift >= 0, "shift", "at least 0", self.shift)
        expect(0 <= self.dropout < 1, "dropout", "0 to below 1", self.dropout)
        for name in ("channels", "frame_stack", "embeddings", "bottleneck", "proprioception"):
            expect(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        trained = self.backbone in TRAINED and self.stored_views > 0
        expect(not trained, "stored_views", "0 with a backbone that is trained", self.stored_views)


def feature_shape(
    config: EncoderConfig, backbone: Backbone, spec: ObservationSpec
) -> tuple[int, int, int]:
    """(C, h, w) of what the heads take of each image."""
    height, width, _ = spec.image_shape
    channels, *size = backbone.feature_shape(height, width)
    if not backbone.frozen:
        return channels, *size
    at_most = f"at most the {channels} of {backbone.name}"
    expect(config.channels <= channels, "encoder.channels", at_most, config.channels)
    return config.channels, *size


def make_compression(
    config: EncoderConfig, backbone: Backbone, spec: ObservationSpec
) -> Compression | None:
    """Of a frozen backbone's channels; None where it is trained."""
    channels, *_ = backbone.feature_shape(*spec.image_shape[:2])
    return Compression(channels, config.channels) if backbone.frozen else None


def arrange(features: Tensor) -> Tensor:
    """Features (B, N, F, C, h, w) of any precision -> (N * F * C, B, h * w) float32.

    Of N cameras, F frames each. The embeddings take the channels first. Pixels (uint8) pass: a
    backbone that is trained takes them.
    """
    if features.dtype == torch.uint8:
        return features
    flat = features.flatten(-2).flatten(1, -2).transpose(0, 1)
    return torch.empty(flat.shape, device=flat.device).copy_(flat)  # turned and widened in one pass


class CameraHeads(nn.Module):
    """Spatial learned embeddings -> dropout -> bottleneck -> LayerNorm -> tanh, per camera."""

    def __init__(
        self, cameras: int, feature_shape: tuple[int, int, int], config: EncoderConfig
    ) -> None:
        super().__init__()
        self.cameras = cameras
        channels = config.frame_stack * feature_shape[0]
        positions = feature_shape[1] * feature_shape[2]
        kernel = torch.randn(cameras * channels, config.embeddings, positions)
        self.kernel = nn.Parameter(kernel / math.sqrt(positions))
        embedded = channels * config.embeddings
        self.bottleneck = EnsembleLinear(cameras, embedded, config.bottleneck)
        self.norm = EnsembleLayerNormTanh(cameras, config.bottleneck)
        self.dropout = config.dropout

    def forward(self, features: Tensor, dropout: torch.Generator | None = None) -> Tensor:
        """Arranged features (N * F * C, B, h * w) -> (B, N * bottleneck)"""
        # With the batch last, the embeddings of a camera are one matrix without moving anything.
        embedded = torch.bmm(self.kernel, features.transpose(1, 2))  # (N * F * C, K, B)
        embedded = embedded.view(self.cameras, -1, features.shape[1])  # (N, F * C * K, B)
        if dropout is not None and self.dropout > 0.0:
            embedded = embedded * _keep(embedded, self.dropout, dropout)
        return self.norm(self.bottleneck(embedded.transpose(1, 2))).transpose(0, 1).flatten(1)


class ObservationEncoder(nn.Module):
    """Vectors alone: the normalised state, nothing to learn. With images: heads beside it."""

    def __init__(
        self, spec: ObservationSpec, config: EncoderConfig, backbone: Backbone | None
    ) -> None:
        """A trained `backbone` is part of the encoder; of a frozen one, its compression is."""
        super().__init__()
        self.normalizer = Normalizer(spec)
        self.size = spec.state_size
        self.heads = self.proprioception = self.backbone = self.compression = None
        if not spec.images:
            return
        shape = feature_shape(config, backbone, spec)
        self.compression = make_compression(config, backbone, spec)
        self.backbone = None if backbone.frozen else backbone
        self.heads = CameraHeads(len(spec.images), shape, config)
        self.size = len(spec.images) * config.bottleneck
        if spec.vectors:
            linear = nn.Linear(spec.state_size, config.proprioception)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            norm = nn.LayerNorm(config.proprioception)
            self.proprioception = nn.Sequential(linear, norm, nn.Tanh())
            self.size += config.proprioception

    def forward(
        self, state: Tensor, frames: Tensor, dropout: torch.Generator | None = None
    ) -> Tensor:
        """Raw state (B, S) and arranged frames -> (B, size). Dropout where it is given a source."""
        state = self.normalizer(state)
        if self.heads is None:
            return state
        if self.backbone is not None:
            batch = frames.shape[:3]  # pixels (B, N, F, H, W, 3)
            frames = arrange(self.backbone(frames.flatten(0, 2)).unflatten(0, batch))
        seen = self.heads(frames, dropout)
        if self.proprioception is None:
            return seen
        return torch.cat([seen, self.proprioception(state)], dim=-1)


def _keep(like: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """What dropout multiplies with. A byte decides each element, eight come from one draw."""
    draws = torch.empty(-(-like.numel() // 8), dtype=torch.int64, device=like.device)
    draws.random_(-(2**63), None, generator=generator)
    kept = draws.view(torch.uint8)[: like.numel()].view(like.shape) >= round(256 * share)
    return kept.to(like.dtype).div_(1.0 - round(256 * share) / 256)

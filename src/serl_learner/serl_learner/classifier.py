"""Is the task solved? A small network on a backbone's features of the camera images.

The paper's binary classifier (SERL, section 4.2) and VICE's discriminator are both this network;
they differ in how it is trained.
"""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from serl_learner.backbone import Backbone, shared_backbone
from serl_learner.compression import Compression
from serl_learner.config import ConfigError, expect, from_dict
from serl_learner.encoder import EncoderConfig, feature_shape, make_compression
from serl_learner.tensor_file import read_tensors
from serl_learner.transition import Observation, ObservationSpec

HIDDEN = 256
DROPOUT = 0.1


class SuccessClassifier(nn.Module):
    """Logit of success, given the newest frame of each camera."""

    def __init__(self, spec: ObservationSpec, encoder: EncoderConfig, backbone: Backbone) -> None:
        """`spec`: its images, in order. A frozen backbone is used, a trained one is owned."""
        super().__init__()
        expect(spec.images, "classifier", "observations with images", "none")
        self.spec = ObservationSpec((), spec.images)
        self.encoder_config = replace(encoder, frame_stack=1)
        self.version = 0  # of its weights
        self.compression: Compression | None = make_compression(encoder, backbone, spec)
        self.trained = None if backbone.frozen else backbone
        shape = feature_shape(encoder, backbone, spec)
        self.head = nn.Sequential(
            nn.Linear(len(spec.images) * int(np.prod(shape)), HIDDEN),
            nn.LayerNorm(HIDDEN),
            nn.LeakyReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, 1),
        )
        self._backbone = (backbone,)  # in a tuple: no submodule

    @property
    def backbone(self) -> Backbone:
        return self._backbone[0]

    def features(self, images: Tensor) -> Tensor:
        """RGB images (B, cameras, H, W, 3) uint8 -> (B, cameras, C, h, w), compressed if frozen"""
        features = self.backbone(images.flatten(0, 1))
        if self.compression is not None:
            features = self.compression(features)
        return features.unflatten(0, images.shape[:2])

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, cameras, C, h, w) of any precision -> logits (B,)"""
        return self.head(features.float().flatten(1)).squeeze(-1)

    @torch.inference_mode()
    def probability(self, observation: Observation) -> float:
        """Of success, in [0, 1]. Raises ValueError where an image is missing or misshapen."""
        self.spec.check(observation)
        images = np.stack([observation[name] for name, _ in self.spec.images])
        return torch.sigmoid(self(self.features(torch.from_numpy(images[None])))).item()


def to_bytes(classifier: SuccessClassifier, figures: dict[str, Any] | None = None) -> bytes:
    """A safetensors file; `figures` say how it was trained and how good it is."""
    description = {
        "spec": classifier.spec.to_json(),
        "encoder": asdict(classifier.encoder_config),
        "backbone": classifier.backbone.digest,
        "version": classifier.version,
        "figures": figures or {},
    }
    tensors = {name: value.cpu() for name, value in classifier.state_dict().items()}
    return safetensors.torch.save(tensors, {"classifier": json.dumps(description)})


def from_bytes(data: bytes) -> tuple[SuccessClassifier, dict[str, Any]]:
    """The classifier of `to_bytes`, ready to judge, and its figures.

    Raises ValueError if the bytes are anything else, ConfigError where its backbone is not here.
    """
    try:
        tensors, metadata = read_tensors(data)
        description = json.loads(metadata["classifier"])
        spec = ObservationSpec.from_json(description["spec"])
        encoder = from_dict(EncoderConfig, description["encoder"], "encoder")
        digest, version = description["backbone"], int(description["version"])
        figures = dict(description["figures"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _not_a_classifier(data, error) from None
    backbone = shared_backbone(encoder.backbone, encoder.weights, digest)
    try:
        with torch.device("meta"):  # no random weights, which its own would replace
            classifier = SuccessClassifier(spec, encoder, backbone)
        classifier.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)
    except ConfigError:
        raise
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _not_a_classifier(data, error) from None
    classifier.version = version
    return classifier.eval(), figures


def weights_version(classifier: SuccessClassifier) -> int:
    """A number above 0 that tells these weights from all others (63 bits of their SHA-256)."""
    sha = hashlib.sha256()
    for name, value in sorted(classifier.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.cpu().contiguous().numpy())
    return int.from_bytes(sha.digest()[:8], "little") >> 1 or 1


def _not_a_classifier(data: bytes, error: Exception) -> ValueError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ValueError(f"classifier of {len(data)} bytes: not a classifier of serl: {reason}")

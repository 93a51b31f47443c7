"""Where is the thing to take? Told from camera images by keypoints, in metres.

A small convolutional network finds, for each camera, the points that matter; the rest is a
perceptron. What finds a thing in one place finds it in all others, so that twenty demonstrations,
which show few places, are enough (spatial softmax: Levine et al. 2016; Finn et al. 2016).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from serl_learner.config import ConfigError, expect
from serl_learner.tensor_file import read_tensors
from serl_learner.transition import Observation, ObservationSpec

KEYPOINTS = 16  # of each camera
WIDTH = 32  # channels
HIDDEN = 128
TOOL = 9  # position, and two columns of the rotation matrix
LEAST_SPREAD = 0.01  # m, and of a rotation's elements: less is noise


class Locator(nn.Module):
    """Position (m, base frame) of what the gripper takes next; in the hand it means nothing."""

    def __init__(self, spec: ObservationSpec):
        """`spec`: its images, in order; beside them the tool's `pose`, in the base frame."""
        super().__init__()
        expect(spec.images, "locator", "observations with images", "none")
        self.spec = ObservationSpec((("pose", 7),), spec.images)
        self.cameras = nn.ModuleList(_Keypoints() for _ in spec.images)
        self.head = nn.Sequential(
            nn.Linear(3 * KEYPOINTS * len(spec.images) + TOOL, HIDDEN),
            nn.LayerNorm(HIDDEN),
            nn.Tanh(),
            nn.Linear(HIDDEN, 3),
        )
        for name, size in (("tool", TOOL), ("place", 3)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_spread", torch.ones(size))

    def fit(self, poses: np.ndarray, places: np.ndarray) -> None:
        """Measures the constants of normalisation. Poses (M, 7), places (M, 3)."""
        for name, values in (("tool", _tool(poses)), ("place", torch.from_numpy(places))):
            getattr(self, f"{name}_mean").copy_(values.mean(0))
            getattr(self, f"{name}_spread").copy_(values.std(0).clamp(min=LEAST_SPREAD))

    def forward(self, images: Tensor, poses: np.ndarray) -> Tensor:
        """RGB images (B, cameras, H, W, 3) uint8, poses (B, 7) -> (B, 3), normalised"""
        pixels = images.float().sub_(128.0).div_(64.0).permute(1, 0, 4, 2, 3)
        seen = [camera(x) for camera, x in zip(self.cameras, pixels, strict=True)]
        tool = (_tool(poses) - self.tool_mean) / self.tool_spread
        return self.head(torch.cat([*seen, tool], dim=1))

    def normalized(self, places: Tensor) -> Tensor:
        """(B, 3) m -> (B, 3)"""
        return (places - self.place_mean) / self.place_spread

    @torch.inference_mode()
    def locate(self, images: Tensor, poses: np.ndarray) -> np.ndarray:
        """RGB images (B, cameras, H, W, 3) uint8, poses (B, 7) -> (B, 3) m, base frame, float32"""
        return (self(images, poses) * self.place_spread + self.place_mean).numpy()

    def look(self, observation: Observation) -> np.ndarray:
        """(3,) m, base frame, float32"""
        images = np.stack([observation[name] for name, _ in self.spec.images])
        return self.locate(torch.from_numpy(images[None]), observation["pose"][None])[0]


class _Keypoints(nn.Module):
    """Of an image where each of its maps is highest, on average, and how clearly."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            *_layer(3, WIDTH // 2, 5, 2),
            *_layer(WIDTH // 2, WIDTH, 3, 2),
            *_layer(WIDTH, WIDTH, 3, 1),
            *_layer(WIDTH, WIDTH, 3, 1),
            nn.Conv2d(WIDTH, KEYPOINTS, 3, padding=1),
        )
        self.sharpness = nn.Parameter(torch.ones(KEYPOINTS, 1, 1))
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3 * KEYPOINTS): columns and rows in [-1, 1], peaks in [0, 1]"""
        maps = self.maps(pixels).float()
        return spatial_softmax(maps * self.sharpness)


def spatial_softmax(maps: Tensor) -> Tensor:
    """Logits (B, K, h, w) -> (B, 3 K): where each map's weight lies, and how much is at its peak.

    First all columns, then all rows, in [-1, 1] from one edge to the other; then all peaks, in
    [0, 1].
    """
    height, width = maps.shape[2:]
    share = maps.flatten(2).softmax(dim=-1).unflatten(2, (height, width))
    # No matrix products, which autocast would round.
    columns = (share.sum(2) * torch.linspace(-1, 1, width)).sum(-1)
    rows = (share.sum(3) * torch.linspace(-1, 1, height)).sum(-1)
    return torch.cat([columns, rows, share.flatten(2).amax(-1)], dim=1)


def _layer(inputs: int, outputs: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2)
    return convolution, nn.GroupNorm(4, outputs), nn.ReLU()


def _tool(poses: np.ndarray) -> Tensor:
    """Poses (B, 7) -> (B, TOOL): without the two signs of a quaternion"""
    rotations = Rotation.from_quat(poses[:, 3:]).as_matrix()[:, :, :2].reshape(-1, 6)
    return torch.from_numpy(np.hstack([poses[:, :3], rotations])).float()


def save_locator(locator: Locator, figures: dict[str, Any], path: Path) -> None:
    """A safetensors file; `figures` say how good it is. Whole, or not there."""
    description = {"spec": locator.spec.to_json(), "figures": figures}
    tensors = {name: value.contiguous() for name, value in locator.state_dict().items()}
    data = safetensors.torch.save(tensors, {"locator": json.dumps(description)})
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def load_locator(path: str | Path) -> Locator:
    """Raises ConfigError, one line, where the file is none."""
    try:
        tensors, metadata = read_tensors(Path(path).read_bytes())
        locator = Locator(ObservationSpec.from_json(json.loads(metadata["locator"])["spec"]))
        locator.load_state_dict(tensors)
    except OSError as error:
        reason = error.strerror
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError):
        reason = "not one"
    else:
        return locator.eval()
    expected = "expected a file that `serl locator` has trained"
    raise ConfigError(f"environment.locator: {path}: {reason}: {expected}")

"""What the replay keeps of each frame: the frozen backbone's features, or the pixels.

A frozen backbone gives the same features every time. So they are computed once per frame, for a few
randomly shifted views, and the update is that of small networks. The pixels are the reference: a
shift of its own for each use, and the backbone in every update.
"""

import queue
import threading
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from serl_learner.augmentation import random_offsets, shift_images
from serl_learner.backbone import Backbone
from serl_learner.compression import Compression
from serl_learner.encoder import EncoderConfig, feature_shape
from serl_learner.transition import Observation, ObservationSpec, Transition

# Images that the backbone takes at once: they stay in a CPU's cache, and fill a GPU.
CHUNK = {"cpu": 16, "cuda": 256}
ENCODED_TOGETHER = 32  # transitions at most: bounds the memory of a burst


class Frames:
    """Turns observations into what is stored, and what is sampled into what the encoder takes.

    Stored is, per observation, (cameras, views, *shape) of `dtype`; without images, nothing.
    """

    def __init__(
        self,
        spec: ObservationSpec,
        config: EncoderConfig | None = None,
        backbone: Backbone | None = None,
        compression: Compression | None = None,
        seed: int = 0,
    ) -> None:
        """The compression is that of the policy that learns from the frames."""
        config = config or EncoderConfig()
        self._names = [name for name, _ in spec.images]
        self._shift = config.shift
        self._backbone = backbone if backbone is not None and backbone.frozen else None
        self._compression = compression
        self._stores_features = config.stored_views > 0 and self._backbone is not None
        self.cameras = len(self._names)
        self.views = config.stored_views if self._stores_features else 1
        self.stack = config.frame_stack if self._names else 1
        self.shape: tuple[int, ...] = spec.image_shape
        self.dtype = torch.uint8
        if self._stores_features:
            self.shape, self.dtype = feature_shape(config, backbone, spec), torch.float16
        self.device = backbone.device if backbone else torch.device("cpu")
        self._chunk = CHUNK[self.device.type]
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def encode(self, observations: Sequence[Observation]) -> Tensor:
        """(M, cameras, views, *shape), on the backbone's device where it has been there."""
        layout = len(observations), self.cameras, self.views, *self.shape
        if self.cameras == 0:
            return torch.empty(layout, dtype=self.dtype)
        images = np.stack([o[name] for o in observations for name in self._names])
        pixels = torch.from_numpy(images)
        if not self._stores_features:
            return pixels.view(layout)
        pixels = pixels.to(self.device).repeat_interleave(self.views, dim=0)
        return self._features(pixels).view(layout)

    def augment(self, frames: Tensor) -> Tensor:
        """Sampled (B, cameras, stack, *shape) -> for the encoder: features, or shifted pixels."""
        if self._stores_features or self.cameras == 0:
            return frames
        pixels = frames.flatten(0, 2)
        if self._backbone is None:
            return self._shifted(pixels).view_as(frames)
        return self._features(pixels).unflatten(0, frames.shape[:3])

    def _features(self, pixels: Tensor) -> Tensor:
        """Shifts and sees images (M, H, W, 3): compressed features (M, C, h, w) float16."""
        parts = [self._backbone(self._shifted(part)) for part in pixels.split(self._chunk)]
        return torch.cat([self._compression(part).half() for part in parts])

    def _shifted(self, pixels: Tensor) -> Tensor:
        if self._shift == 0:
            return pixels
        return shift_images(pixels, random_offsets(len(pixels), self._shift, self._generator))


# A transition, and the stored form of its observation and of its final one, if it has one.
Arrival = tuple[Transition, Tensor, Tensor | None]


def encode(transitions: Sequence[Transition], frames: Frames) -> list[Arrival]:
    """All observations of the transitions in one batch."""
    finals = [t for t in transitions if t.final_observation is not None]
    observations = [t.observation for t in transitions] + [t.final_observation for t in finals]
    encoded = frames.encode(observations)
    rest = iter(encoded[len(transitions) :])
    return [
        (t, encoded[i], None if t.final_observation is None else next(rest))
        for i, t in enumerate(transitions)
    ]


class FrameStage:
    """Encodes arriving transitions in a thread of its own, off the path of the updates.

    They leave in the order in which they came. Where there are no images nothing is started.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._entered: queue.SimpleQueue[Transition | None] = queue.SimpleQueue()
        self._left: queue.SimpleQueue[list[Arrival] | BaseException] = queue.SimpleQueue()
        self.pending = 0  # transitions that have not left yet
        self._thread: threading.Thread | None = None
        if frames.cameras:
            self._thread = threading.Thread(target=self._work, name="frames", daemon=True)
            self._thread.start()

    def put(self, transitions: Sequence[Transition]) -> None:
        self.pending += len(transitions)
        if self._thread is None:
            self._left.put(encode(transitions, self._frames))
            return
        for transition in transitions:
            self._entered.put(transition)

    def get(self, timeout_s: float) -> list[Arrival]:
        """What is done, in order; waits for the first one while there is one on its way."""
        arrivals: list[Arrival] = []
        while self.pending:
            wait = timeout_s > 0.0 and not arrivals
            try:
                done = self._left.get(block=wait, timeout=timeout_s if wait else None)
            except queue.Empty:
                break
            if isinstance(done, BaseException):
                raise done
            self.pending -= len(done)
            arrivals += done
        return arrivals

    def close(self) -> None:
        if self._thread is not None:
            self._entered.put(None)
            self._thread.join()

    def _work(self) -> None:
        try:
            while (first := self._entered.get()) is not None:
                transitions = [first]
                while not self._entered.empty() and len(transitions) < ENCODED_TOGETHER:
                    transitions.append(self._entered.get())
                stop = None in transitions
                known = [t for t in transitions if t is not None]
                self._left.put(encode(known, self._frames))
                if stop:
                    return
        except BaseException as error:  # raised by `get`, in the thread that can handle it
            self._left.put(error)

"""The policy: what acting needs and nothing else, and its safetensors form for wire and disk."""

import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from serl_learner.backbone import Backbone, shared_backbone
from serl_learner.config import ConfigError, expect, from_dict
from serl_learner.encoder import EncoderConfig, ObservationEncoder, arrange
from serl_learner.networks import Actor, GraspCritic
from serl_learner.normalizer import Normalizer
from serl_learner.tensor_file import read_tensors
from serl_learner.transition import Observation, ObservationSpec

FITTED_TO = 256  # observations at most, which the compression is measured on


class Policy(nn.Module):
    """A tanh-Gaussian over actions in [-1, 1], given an observation.

    With a discrete gripper, the last element is none of the Gaussian's: it is -1, 0 or 1 (close,
    stay, open), whichever the grasp critic values most, with and without exploration (HIL-SERL).
    A frozen backbone, which every policy of a run shares, is used and not owned: it is neither
    among the parameters nor in the bytes that cross the wire.
    """

    def __init__(
        self,
        spec: ObservationSpec,
        action_size: int,
        hidden: tuple[int, ...] = (256, 256),
        std_range: tuple[float, float] = (1e-5, 5.0),
        encoder: EncoderConfig | None = None,
        backbone: Backbone | None = None,
        discrete_gripper: bool = False,
    ) -> None:
        """`encoder` and `backbone` are for observations with images."""
        super().__init__()
        if (spec.state_size == 0 and not spec.images) or action_size == 0:
            raise ConfigError(f"observations: expected at least one vector or image, got {spec}")
        if spec.images and backbone is None:
            names = ", ".join(name for name, _ in spec.images)
            raise ConfigError(f"policy: expected a backbone for images {names}, got none")
        wide_enough = action_size >= 2 or not discrete_gripper
        expect(wide_enough, "gripper", "actions of at least 2 elements with discrete", action_size)
        self.spec = spec
        self.action_size = action_size
        self.gaussian_size = action_size - discrete_gripper  # elements that the Gaussian gives
        self.hidden = hidden
        self.std_range = std_range
        self.encoder_config = encoder or EncoderConfig()
        self.encoder = ObservationEncoder(spec, self.encoder_config, backbone)
        self.actor = Actor(self.encoder.size, self.gaussian_size, hidden, std_range)
        self.grasp_critic = GraspCritic(self.encoder.size, hidden) if discrete_gripper else None
        self._backbone = (backbone,)  # in a tuple: no submodule
        self._seen: deque[Tensor] = deque(maxlen=self.encoder_config.frame_stack)

    @property
    def normalizer(self) -> Normalizer:
        return self.encoder.normalizer

    @property
    def backbone(self) -> Backbone | None:
        return self._backbone[0]

    @torch.inference_mode()
    def fit(self, observations: Sequence[Observation]) -> None:
        """Measures the constants of what comes before all learning: normaliser and compression."""
        states = np.stack([self.spec.flatten(o) for o in observations])
        self.normalizer.fit(torch.from_numpy(states))
        if self.encoder.compression is None:
            return
        chosen = np.linspace(0, len(observations) - 1, min(FITTED_TO, len(observations)))
        parts = [self.backbone(self.images(observations[int(i)])) for i in chosen]
        self.encoder.compression.fit(torch.cat(parts))

    def begin_episode(self) -> None:
        """Forgets the frames seen before. The first one to come stands for those missing."""
        self._seen.clear()

    def go_on_from(self, other: "Policy") -> None:
        """Takes the place of another within an episode."""
        self._seen = other._seen

    @torch.inference_mode()
    def act(self, observation: Observation, deterministic: bool) -> np.ndarray:
        """Action (A,) float32 in [-1, 1]: the mode, or a sample from torch's global generator.

        Each call is a step of the episode.
        """
        state = torch.from_numpy(self.spec.flatten(observation))[None]
        encoding = self.encoder(state, self.look(observation))
        mean, std = self.actor(encoding)
        if not deterministic:
            mean = mean + std * torch.randn_like(mean)
        action = torch.tanh(mean)[0]
        if self.grasp_critic is not None:
            action = torch.cat([action, self.grasp_critic.best(encoding) - 1.0])
        return action.numpy()

    def look(self, observation: Observation) -> Tensor:
        """Adds the frame of a step; gives the newest ones as the encoder takes them."""
        if not self.spec.images:
            return torch.empty(1, 0)
        frame = self.images(observation)
        if self.encoder.compression is not None:
            frame = self.encoder.compression(self.backbone(frame))
        while len(self._seen) < self._seen.maxlen - 1:  # an episode begins: as the replay has it
            self._seen.append(frame)
        self._seen.append(frame)
        return arrange(torch.stack(list(self._seen), dim=1)[None])

    def images(self, observation: Observation) -> Tensor:
        """(cameras, H, W, 3) uint8, on the backbone's device"""
        images = np.stack([observation[name] for name, _ in self.spec.images])
        return torch.from_numpy(images).to(self.backbone.device)

    def sample(self, encoding: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Encodings (B, D) -> reparametrised actions and their log density (B,).

        Actions are of the Gaussian alone, (B, gaussian_size).
        """
        mean, std = self.actor(encoding)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return tanh_gaussian(mean, std, noise)


def tanh_gaussian(mean: Tensor, std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Action tanh(mean + std * noise) (B, A) and its log density (B,) (SAC, appendix C)."""
    u = mean + std * noise
    log_normal = -0.5 * noise.square() - std.log() - 0.5 * math.log(2 * math.pi)
    # log(1 - tanh(u)^2), in a form that stays finite for large |u|
    log_slope = 2.0 * (math.log(2.0) - u - F.softplus(-2.0 * u))
    return torch.tanh(u), (log_normal - log_slope).sum(dim=-1)


def to_bytes(policy: Policy) -> bytes:
    """A safetensors file whose metadata says how to build the policy that its tensors belong to."""
    network = {
        "action_size": policy.action_size,
        "hidden": policy.hidden,
        "std_range": policy.std_range,
        "encoder": asdict(policy.encoder_config),
        "backbone": policy.backbone.digest if policy.backbone and policy.backbone.frozen else "",
        "discrete_gripper": policy.grasp_critic is not None,
    }
    metadata = {"spec": policy.spec.to_json(), "network": json.dumps(network)}
    tensors = {name: value.cpu() for name, value in policy.state_dict().items()}
    return safetensors.torch.save(tensors, metadata)


def from_bytes(data: bytes) -> Policy:
    """The policy of `to_bytes`. Raises ValueError if the bytes are anything else.

    Raises ConfigError where the frozen backbone of one that sees cannot be had here.
    """
    try:
        tensors, metadata = read_tensors(data)
        network = json.loads(metadata["network"])
        spec = ObservationSpec.from_json(metadata["spec"])
        encoder = from_dict(EncoderConfig, network["encoder"], "encoder")
        digest = network["backbone"]
        discrete_gripper = network.get("discrete_gripper", False)  # older files do not say
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _not_a_policy(data, error) from None
    backbone = shared_backbone(encoder.backbone, encoder.weights, digest) if spec.images else None
    try:
        sizes = network["action_size"], tuple(network["hidden"]), tuple(network["std_range"])
        with torch.device("meta"):  # no random weights, which the policy's own would replace
            policy = Policy(spec, *sizes, encoder, backbone, discrete_gripper)
        policy.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _not_a_policy(data, error) from None
    return policy


def _not_a_policy(data: bytes, error: Exception) -> ValueError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ValueError(f"policy of {len(data)} bytes: not a policy of serl: {reason}")

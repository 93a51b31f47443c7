"""The policy: what acting needs and nothing else, and its safetensors form for wire and disk."""

import json
import math

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from serl_learner.config import ConfigError
from serl_learner.networks import Actor
from serl_learner.normalizer import Normalizer
from serl_learner.transition import Observation, ObservationSpec


class Policy(nn.Module):
    """A tanh-Gaussian over actions in [-1, 1], given the vectors of an observation."""

    def __init__(
        self,
        spec: ObservationSpec,
        action_size: int,
        hidden: tuple[int, ...] = (256, 256),
        std_range: tuple[float, float] = (1e-5, 5.0),
    ) -> None:
        super().__init__()
        if spec.images:
            names = ", ".join(name for name, _ in spec.images)
            raise ConfigError(f"observations: expected vectors only (state), got images {names}")
        if spec.state_size == 0 or action_size == 0:
            raise ConfigError(f"observations: expected at least one vector, got {spec.vectors}")
        self.spec = spec
        self.action_size = action_size
        self.hidden = hidden
        self.std_range = std_range
        self.normalizer = Normalizer(spec)
        self.actor = Actor(spec.state_size, action_size, hidden, std_range)

    @torch.inference_mode()
    def act(self, observation: Observation, deterministic: bool) -> np.ndarray:
        """Action (A,) float32 in [-1, 1]: the mode, or a sample from torch's global generator."""
        state = torch.from_numpy(self.spec.flatten(observation))
        mean, std = self.actor(self.normalizer(state))
        if not deterministic:
            mean = mean + std * torch.randn_like(mean)
        return torch.tanh(mean).numpy()

    def sample(self, state: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Normalised states (B, S) -> reparametrised actions (B, A) and their log density (B,)."""
        mean, std = self.actor(state)
        noise = torch.randn(mean.shape, generator=generator)
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
    }
    metadata = {"spec": policy.spec.to_json(), "network": json.dumps(network)}
    return safetensors.torch.save(policy.state_dict(), metadata)


def from_bytes(data: bytes) -> Policy:
    """The policy of `to_bytes`. Raises ValueError if the bytes are anything else."""
    try:
        tensors = safetensors.torch.load(data)
        header_size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + header_size])["__metadata__"]
        network = json.loads(metadata["network"])
        policy = Policy(
            ObservationSpec.from_json(metadata["spec"]),
            network["action_size"],
            tuple(network["hidden"]),
            tuple(network["std_range"]),
        )
        policy.load_state_dict(tensors)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"policy of {len(data)} bytes: not a policy of serl: {reason}") from None
    return policy

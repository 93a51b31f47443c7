"""Behaviour cloning: the paper's baseline. The same policy as RLPD's, fitted to demonstrations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from serl_learner.backbone import make_backbone
from serl_learner.config import ConfigError, expect
from serl_learner.encoder import EncoderConfig, arrange
from serl_learner.frames import Frames
from serl_learner.policy import Policy
from serl_learner.replay import filled_replay
from serl_learner.rlpd import NonFiniteLoss
from serl_learner.transition import ObservationSpec, Transition


@dataclass(frozen=True)
class BCConfig:
    """Defaults are SERL's."""

    steps: int = 20_000
    batch_size: int = 256
    learning_rate: float = 3e-4
    hidden: tuple[int, ...] = (256, 256)
    std_range: tuple[float, float] = (1e-5, 5.0)

    def __post_init__(self) -> None:
        expect(self.steps >= 1, "steps", "at least 1", self.steps)
        expect(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        expect(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        hidden_ok = self.hidden and min(self.hidden) >= 1
        expect(hidden_ok, "hidden", "sizes of at least one layer", self.hidden)
        low, high = self.std_range
        expect(0 < low < high, "std_range", "0 < low < high", self.std_range)


def bc_loss(policy: Policy, encoding: Tensor, action: Tensor) -> Tensor:
    """Negative log likelihood of actions (B, A) under a Gaussian around the policy's mode.

    The Gaussian lies in the action space. Under the tanh a demonstrated -1 or 1, common where a
    person moves at full speed, would be infinitely far away. A discrete gripper is chosen with the
    softmax of what its critic gives: the mean of closing now and in a moment would close it never.
    """
    mean, std = policy.actor(encoding)
    error = (action[:, : policy.gaussian_size] - torch.tanh(mean)) / std
    nats = 0.5 * error.square() + std.log() + 0.5 * math.log(2 * math.pi)
    loss = nats.sum(dim=-1).mean()
    if policy.grasp_critic is not None:
        choice = policy.grasp_critic.choice(action)
        loss = loss + F.cross_entropy(policy.grasp_critic(encoding), choice)
    return loss


def train_bc(
    transitions: Sequence[Transition],
    config: BCConfig,
    seed: int,
    observation_keys: tuple[str, ...] = (),
    encoder: EncoderConfig | None = None,
    discrete_gripper: bool = False,
) -> Policy:
    """Fits a policy of the named observations (of all, with no names) to the actions."""
    if not transitions:
        raise ConfigError("behaviour cloning: expected demonstrations, got no transition")
    spec = ObservationSpec.from_observation(transitions[0].observation, observation_keys)
    action_size = len(transitions[0].action)
    for transition in transitions:
        transition.check(spec, action_size)
    encoder = encoder or EncoderConfig()
    backbone = None
    if spec.images:
        backbone = make_backbone(encoder.backbone, encoder.weights).accelerate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = action_size, config.hidden, config.std_range
        policy = Policy(spec, *sizes, encoder, backbone, discrete_gripper)
    policy.fit([t.observation for t in transitions])
    frames = Frames(spec, encoder, backbone, policy.encoder.compression, seed)
    data = filled_replay(transitions, spec, action_size, np.random.default_rng(seed), frames)
    optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for step in range(config.steps):
        batch = data.sample(config.batch_size)
        seen = arrange(frames.augment(batch.frames))
        encoding = policy.encoder(batch.state, seen, dropout=generator)
        loss = bc_loss(policy, encoding, batch.action)
        if not math.isfinite(loss.item()):
            raise NonFiniteLoss(f"cloning loss is {loss.item()} at step {step}, not applied")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return policy

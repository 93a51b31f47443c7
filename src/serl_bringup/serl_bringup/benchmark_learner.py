"""Critic steps per second: the fused ensemble, against a plain loop over separate critics.

From images: stored features, against the backbone in every update.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from serl_learner.backbone import make_backbone
from serl_learner.compute import find_device, tuned_process
from serl_learner.config import expect
from serl_learner.cuda_graph import WARM_UP, make_update
from serl_learner.encoder import EncoderConfig
from serl_learner.frames import Frames
from serl_learner.networks import CriticEnsemble
from serl_learner.replay import Batch, ReplayBuffer
from serl_learner.rlpd import RLPD, RLPDConfig
from serl_learner.transition import ObservationSpec, Transition

# The state of the insertion tasks: relative pose, twist, force, torque, gripper, socket.
SPEC = ObservationSpec(
    (("pose", 6), ("twist", 6), ("force", 3), ("torque", 3), ("gripper", 1), ("socket_pose", 6))
)
# What their policy sees with two wrist cameras.
VISION_SPEC = ObservationSpec(
    (("pose", 6), ("force", 3), ("torque", 3)),
    (("wrist_1", (128, 128, 3)), ("wrist_2", (128, 128, 3))),
)
ENCODER = EncoderConfig()
CAPACITY = 4000  # observations
ACTION_SIZE = 6
CONFIG = RLPDConfig(return_range=(0.0, 1.0))


def measure(observations: str = "state", device: str = "cpu") -> dict[str, Any]:
    if observations == "vision":
        return measure_vision(find_device(device, "--device"))
    expect(device == "cpu", "--device", "cpu with --observations state", device)
    return measure_state()


def measure_state(batch_size: int = 256, threads: int = 1, seconds: float = 5.0) -> dict[str, Any]:
    batch = random_batch(batch_size)
    # The loop first: the rest of the process is then as a user of plain PyTorch has it.
    torch.set_num_threads(threads)
    loop_rate = rate(LoopedRLPD(CONFIG).update_critic, batch, seconds=seconds)
    agent = RLPD(CONFIG, SPEC, ACTION_SIZE, seed=0)
    with tuned_process(threads):
        critic_rate = rate(agent.update, batch, False, seconds=seconds)
        both_rate = rate(agent.update, batch, True, seconds=seconds / 2)
    return {
        "observations": "state",
        "batch_size": batch_size,
        "ensemble": CONFIG.ensemble,
        "state_size": SPEC.state_size,
        "action_size": ACTION_SIZE,
        "threads": threads,
        "critic_steps_per_s": round(critic_rate, 1),
        "critic_and_actor_steps_per_s": round(both_rate, 1),
        "loop_critic_steps_per_s": round(loop_rate, 1),
        "ratio_to_loop": round(critic_rate / loop_rate, 2),
    }


def measure_vision(
    device: torch.device, batch_size: int = 256, seconds: float = 20.0
) -> dict[str, Any]:
    """Two cameras, all cores. Sampling is part of a step, as it is of the learner's."""
    threads = os.cpu_count() or 1
    figures = {}
    on_gpu = device.type == "cuda"
    with tuned_process(threads):
        for path, views in (("features", ENCODER.stored_views), ("pixels", 0)):
            if on_gpu:
                torch.cuda.reset_peak_memory_stats()
            step, nbytes = vision_step(batch_size, views, device)
            few = 3 if views else 1
            warm_up = WARM_UP + 2 if on_gpu else few  # until the graph is captured and replayed
            figures[path] = rate(step, seconds=seconds, warm_up=warm_up)
            figures[f"{path}_bytes"] = nbytes
            figures[f"{path}_gpu"] = torch.cuda.max_memory_allocated() - nbytes if on_gpu else None
            del step  # and its replay, before the next one's
    return {
        "observations": "vision",
        "batch_size": batch_size,
        "ensemble": CONFIG.ensemble,
        "cameras": len(VISION_SPEC.images),
        "stored_views": ENCODER.stored_views,
        "channels": ENCODER.channels,
        "device": device.type,
        "threads": threads,
        "critic_steps_per_s": round(figures["features"], 2),
        "pixel_critic_steps_per_s": round(figures["pixels"], 4),
        "ratio_to_pixels": round(figures["features"] / figures["pixels"], 1),
        "bytes_per_100k": round(figures["features_bytes"] * 100_000 / CAPACITY),
        "pixel_bytes_per_100k": round(figures["pixels_bytes"] * 100_000 / CAPACITY),
        "gpu_bytes_beside_replay": figures["features_gpu"],
        "pixel_gpu_bytes_beside_replay": figures["pixels_gpu"],
    }


def vision_step(batch_size: int, views: int, device: torch.device) -> tuple[Callable[[], Any], int]:
    """A critic step from a replay too large for a processor's cache, and that replay's size."""
    config = replace(ENCODER, stored_views=views)
    backbone = make_backbone(config.backbone, config.weights).to(device).accelerate()
    agent = RLPD(CONFIG, VISION_SPEC, ACTION_SIZE, 0, config, backbone, device)
    update = make_update(agent)
    frames = Frames(VISION_SPEC, config, backbone, agent.policy.encoder.compression)
    rng = np.random.default_rng(0)
    replay = ReplayBuffer(CAPACITY, VISION_SPEC, ACTION_SIZE, rng, frames, device)
    transition = random_transition(VISION_SPEC, 0, rng)
    encoded = frames.encode([random_transition(VISION_SPEC, 0, rng).observation for _ in range(8)])
    for sequence in range(CAPACITY):
        replay.add(replace(transition, sequence=sequence, step=sequence), encoded[sequence % 8])

    def step() -> None:
        batch = replay.sample(batch_size)
        seen, following = frames.augment(batch.frames), frames.augment(batch.next_frames)
        update(replace(batch, frames=seen, next_frames=following), False)

    return step, replay.nbytes


def random_batch(size: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    state, next_state = torch.randn(2, size, SPEC.state_size, generator=generator)
    action = torch.rand(size, ACTION_SIZE, generator=generator) * 2 - 1
    reward = (torch.rand(size, generator=generator) < 0.05).float()
    return Batch(state, action, reward, 1.0 - reward, next_state)


def random_transition(
    spec: ObservationSpec, sequence: int, rng: np.random.Generator, ends: bool = False
) -> Transition:
    observation = {name: rng.random(size, np.float32) for name, size in spec.vectors}
    observation |= {n: rng.integers(0, 256, shape, np.uint8) for n, shape in spec.images}
    return Transition(
        agent="agent",
        actor="actor",
        sequence=sequence,
        episode=0,
        step=sequence,
        observation=observation,
        action=rng.random(ACTION_SIZE, np.float32),
        reward=0.0,
        terminated=False,
        truncated=ends,
        final_observation=observation if ends else None,
    )


def rate(function: Callable[..., Any], *arguments, seconds: float, warm_up: int = 5) -> float:
    """Calls per second."""
    for _ in range(warm_up):
        function(*arguments)
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        function(*arguments)
        count += 1
    return count / (time.perf_counter() - begin)


class LoopedRLPD:
    """The critic update as it is usually written: a list of networks, one after the other."""

    def __init__(self, config: RLPDConfig) -> None:
        self.config = config
        self.agent = RLPD(config, SPEC, ACTION_SIZE, seed=0)  # for its policy and its weights
        self.critics = [separate_critic(self.agent.critic, i) for i in range(config.ensemble)]
        self.targets = [separate_critic(self.agent.critic, i) for i in range(config.ensemble)]
        parameters = [p for critic in self.critics for p in critic.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=config.learning_rate)

    def update_critic(self, batch: Batch) -> None:
        target = self._target(batch)
        normalizer = self.agent.policy.normalizer
        x = torch.cat([normalizer(batch.state), batch.action], dim=-1)
        q = torch.stack([critic(x).squeeze(-1) for critic in self.critics])
        self.optimizer.zero_grad()
        (q - target).square().mean().backward()
        self.optimizer.step()
        rate = self.config.target_update_rate
        with torch.no_grad():
            for critic, target_critic in zip(self.critics, self.targets, strict=True):
                for p, t in zip(critic.parameters(), target_critic.parameters(), strict=True):
                    t.mul_(1 - rate).add_(p, alpha=rate)

    @torch.no_grad()
    def _target(self, batch: Batch) -> Tensor:
        config, agent = self.config, self.agent
        next_state = agent.policy.normalizer(batch.next_state)
        action, _ = agent.policy.sample(next_state, agent.generator)
        x = torch.cat([next_state, action], dim=-1)
        order = torch.rand(config.ensemble, generator=agent.generator)
        members = order.argsort()[: config.subset]
        q = torch.stack([self.targets[member](x).squeeze(-1) for member in members])
        target = batch.reward + config.discount * batch.mask * q.amin(dim=0)
        return target.clamp(*config.return_range)


def separate_critic(ensemble: CriticEnsemble, member: int) -> nn.Sequential:
    """One member of the ensemble as a network of torch's own modules."""
    layers: list[nn.Module] = []
    for ensemble_linear, ensemble_norm in zip(ensemble.linears, ensemble.norms, strict=True):
        norm = nn.LayerNorm(ensemble_norm.weight.shape[-1])
        norm.weight.data = ensemble_norm.weight.data[member, 0].clone()
        norm.bias.data = ensemble_norm.bias.data[member, 0].clone()
        layers += [_linear(ensemble_linear, member), norm, nn.Tanh()]
    return nn.Sequential(*layers, _linear(ensemble.value, member))


def _linear(ensemble_linear: nn.Module, member: int) -> nn.Linear:
    linear = nn.Linear(*ensemble_linear.weight.shape[1:])
    linear.weight.data = ensemble_linear.weight.data[member].T.clone()
    linear.bias.data = ensemble_linear.bias.data[member, 0].clone()
    return linear

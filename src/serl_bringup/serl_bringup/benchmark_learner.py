"""Critic steps per second: the fused ensemble, against a plain loop over separate critics."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from serl_learner.compute import tuned_process
from serl_learner.networks import CriticEnsemble
from serl_learner.replay import Batch
from serl_learner.rlpd import RLPD, RLPDConfig
from serl_learner.transition import ObservationSpec

# The state of the insertion tasks: relative pose, twist, force, torque, gripper, socket.
SPEC = ObservationSpec(
    (("pose", 6), ("twist", 6), ("force", 3), ("torque", 3), ("gripper", 1), ("socket_pose", 6))
)
ACTION_SIZE = 6
CONFIG = RLPDConfig(return_range=(0.0, 1.0))


def measure(batch_size: int = 256, threads: int = 1, seconds: float = 5.0) -> dict[str, Any]:
    batch = random_batch(batch_size)
    # The loop first: the rest of the process is then as a user of plain PyTorch has it.
    torch.set_num_threads(threads)
    loop_rate = _rate(LoopedRLPD(CONFIG).update_critic, batch, seconds)
    agent = RLPD(CONFIG, SPEC, ACTION_SIZE, seed=0)
    with tuned_process(threads):
        rate = _rate(agent.update_critic, batch, seconds)
        actor_rate = _rate(agent.update_actor, batch, seconds / 2)
    return {
        "observations": "state",
        "batch_size": batch_size,
        "ensemble": CONFIG.ensemble,
        "state_size": SPEC.state_size,
        "action_size": ACTION_SIZE,
        "threads": threads,
        "critic_steps_per_s": round(rate, 1),
        "actor_steps_per_s": round(actor_rate, 1),
        "loop_critic_steps_per_s": round(loop_rate, 1),
        "ratio_to_loop": round(rate / loop_rate, 2),
    }


def random_batch(size: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    state, next_state = torch.randn(2, size, SPEC.state_size, generator=generator)
    action = torch.rand(size, ACTION_SIZE, generator=generator) * 2 - 1
    reward = (torch.rand(size, generator=generator) < 0.05).float()
    return Batch(state, action, reward, 1.0 - reward, next_state)


def _rate(update: Callable[[Batch], Any], batch: Batch, seconds: float) -> float:
    """Calls per second."""
    for _ in range(5):
        update(batch)
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        update(batch)
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
        members = torch.randperm(config.ensemble, generator=agent.generator)[: config.subset]
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

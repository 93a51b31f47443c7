"""VICE (Fu et al. 2018): a success classifier that learns while the policy does.

Goal images are its positives, the states that the policy reaches its negatives. So a state that
fooled it becomes a negative, and a policy cannot live on its mistakes. Only goals are collected.
Since a state of success ends its episode, what fools the classifier is rare among all states: half
of the negatives are therefore those that look most like a success. Where the policy does reach the
goal, they are goals: against as many positives, that leaves a goal a probability of 2/3.

Rewards are a matter of the current classifier: those of replayed transitions are computed anew in
every update, and with them where an episode ends. A state of success is terminal, and no other is.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from serl_learner.classifier import SuccessClassifier
from serl_learner.config import ConfigError, expect
from serl_learner.frames import Frames
from serl_learner.optimizer_state import load_optimizer, optimizer_tensors
from serl_learner.policy import Policy
from serl_learner.replay import Batch
from serl_learner.reward import RewardForm
from serl_learner.rlpd import Info
from serl_learner.transition import Observation, Transition, with_next

POOL = 4  # states that are looked at for each negative


@dataclass(frozen=True)
class ViceConfig(RewardForm):
    """Defaults of the regularisation are SERL's."""

    goals: str = ""  # MCAP file whose observations of success are the goals; empty: demonstrations
    period: int = 4  # critic steps per step of the classifier
    warmup: int = 200  # steps of the classifier before the first critic step
    learning_rate: float = 3e-4
    mixup: float = 1.0  # Beta(mixup, mixup) mixes pairs of states and their labels
    label_smoothing: float = 0.2  # labels are 0.1 and 0.9
    gradient_penalty: float = 10.0  # on the norm of the logit's gradient, towards 1

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self.period >= 1, "period", "at least 1", self.period)
        expect(self.warmup >= 1, "warmup", "at least 1", self.warmup)
        expect(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        expect(self.mixup > 0, "mixup", "above 0", self.mixup)
        smoothing, penalty = self.label_smoothing, self.gradient_penalty
        expect(0 <= smoothing < 1, "label_smoothing", "0 to below 1", smoothing)
        expect(penalty >= 0, "gradient_penalty", "at least 0", penalty)


@dataclass(frozen=True)
class ViceSource:
    """What a trainer needs to train a classifier beside the policy."""

    config: ViceConfig
    goals: Sequence[Observation]
    publish: Callable[[SuccessClassifier], None]


def goal_observations(transitions: Iterable[Transition], where: str) -> list[Observation]:
    """Those that follow a step of success. Raises ConfigError where there are none."""
    goals = [following for step, following in with_next(transitions) if step.success]
    if not goals:
        raise ConfigError(f"vice.goals: expected observations of success in {where}, got none")
    return goals


class Vice:
    """The classifier, how it learns, and the rewards it gives to a batch."""

    def __init__(
        self,
        config: ViceConfig,
        policy: Policy,
        goals: Sequence[Observation],
        frames: Frames,
        seed: int,
    ) -> None:
        """`frames` are those of the replay: the classifier sees what the policy sees."""
        self._config = config
        self._frames = frames
        self._seed = seed
        backbone = policy.backbone
        frozen = backbone is not None and backbone.frozen
        expect(frozen, "reward.source", "vice with images and a frozen backbone", "neither")
        for goal in goals:
            policy.spec.check(goal, "goal")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.classifier = SuccessClassifier(policy.spec, policy.encoder_config, backbone)
        self.classifier.compression = copy.deepcopy(policy.encoder.compression)
        self.classifier.to(frames.device).eval()
        self._goals = frames.encode(goals).to(frames.device)  # (G, cameras, views, *shape)
        self._optimizer = torch.optim.Adam(
            self.classifier.head.parameters(), lr=config.learning_rate
        )

    def warm_up(self, sample: Callable[[], Tensor]) -> None:
        """Teaches the first lesson, before which every reward would be a guess."""
        while self.classifier.version < self._config.warmup:
            self.step(sample())

    def is_due(self, critic_steps: int) -> bool:
        return critic_steps % self._config.period == 0

    def step(self, reached: Tensor) -> Info:
        """One step of the classifier. Of what the policy reached, B / POOL become its negatives.

        `reached`: (B, cameras, stack, ...), frames of next observations.
        """
        states = self._negatives(_newest(reached))
        rng = np.random.default_rng([self._seed, self.classifier.version])
        goals = self._sample_goals(len(states), rng)
        loss = self._loss(goals, states, rng) + self._config.gradient_penalty * self._penalty(
            goals, states, rng
        )
        if torch.isfinite(loss):
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        self.classifier.version += 1
        return {"reward_loss": loss.item()}

    @torch.no_grad()
    def relabel(self, batch: Batch) -> Batch:
        """The batch with rewards, and ends, as the classifier sees them now."""
        probability = torch.sigmoid(self.classifier(_newest(batch.next_frames)))
        reward, success = self._config.of(probability)
        return replace(batch, reward=reward, mask=1.0 - success)

    def state(self) -> dict[str, Tensor]:
        """Everything that an interrupted training continues from."""
        tensors = {f"vice.network.{k}": v for k, v in self.classifier.state_dict().items()}
        tensors["vice.version"] = torch.tensor(self.classifier.version)
        return tensors | optimizer_tensors("vice.optimizer", self._optimizer)

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Takes over what `state` gave. Raises if names or shapes differ."""
        prefix = "vice.network."
        network = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        self.classifier.load_state_dict(network)
        self.classifier.version = int(tensors["vice.version"])
        load_optimizer("vice.optimizer", self._optimizer, tensors)

    @torch.no_grad()
    def _negatives(self, states: Tensor) -> Tensor:
        """Of states in random order, a share of 1 / POOL: half as they come, half the likeliest."""
        count = max(len(states) // POOL, 2)
        any_states, others = states[: count // 2], states[count // 2 :]
        likeliest = self.classifier(others).topk(count - count // 2).indices
        return torch.cat([any_states, others[likeliest]])

    def _sample_goals(self, count: int, rng: np.random.Generator) -> Tensor:
        """(count, cameras, C, h, w), as `Frames.augment` gives the policy's states."""
        goals, cameras, views = self._goals.shape[:3]
        rows = rng.integers(goals, size=(count, 1))
        view = rng.integers(views, size=(count, cameras))
        chosen = self._goals[rows, np.arange(cameras), view]  # (count, cameras, *shape)
        return self._frames.augment(chosen[:, :, None])[:, :, 0].float()

    def _loss(self, goals: Tensor, states: Tensor, rng: np.random.Generator) -> Tensor:
        """Cross entropy of mixed states and their mixed, smoothed labels."""
        config = self._config
        seen = torch.cat([goals, states])
        label = torch.cat([torch.ones(len(goals)), torch.zeros(len(states))]).to(seen.device)
        label = label * (1.0 - config.label_smoothing) + config.label_smoothing / 2
        share = torch.from_numpy(rng.beta(config.mixup, config.mixup, len(seen))).to(seen)
        other = torch.from_numpy(rng.permutation(len(seen))).to(seen.device)
        mixed = torch.lerp(seen[other], seen, share.view(-1, 1, 1, 1, 1))
        label = torch.lerp(label[other], label, share)
        self.classifier.train()
        logits = self.classifier(mixed)
        self.classifier.eval()
        return F.binary_cross_entropy_with_logits(logits, label)

    def _penalty(self, goals: Tensor, states: Tensor, rng: np.random.Generator) -> Tensor:
        """How far the logit's gradient is from norm 1 on the lines from goals to states."""
        share = torch.from_numpy(rng.random(len(goals))).to(goals)
        between = torch.lerp(goals, states, share.view(-1, 1, 1, 1, 1)).requires_grad_()
        logits = self.classifier(between).sum()
        (gradient,) = torch.autograd.grad(logits, between, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()


def _newest(frames: Tensor) -> Tensor:
    """(B, cameras, stack, C, h, w) -> (B, cameras, C, h, w) float32"""
    return frames[:, :, -1].float()

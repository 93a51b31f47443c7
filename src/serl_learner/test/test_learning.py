"""The whole learner on a toy task: from a few demonstrations to a policy that solves it."""

import numpy as np
import torch
from point_task import PointActor, demonstrator, success_rate

from serl_learner.policy import from_bytes
from serl_learner.rlpd import RLPDConfig
from serl_learner.trainer import LearnerConfig, Trainer


class LockStep:
    """An actor in the learner's own process: one step per wait, with the newest policy."""

    def __init__(self, actor: PointActor) -> None:
        self.actor = actor
        self.policies = []

    def publish(self, snapshot) -> None:
        self.policies.append(from_bytes(snapshot.data))

    def receive(self, timeout_s: float) -> list:
        if timeout_s == 0.0:  # updates are due
            return []
        return [self.actor.act(lambda observation: self.policies[-1].act(observation, False))]


def test_learns_to_reach_a_point_from_a_sparse_reward_and_five_demonstrations():
    torch.manual_seed(0)  # exploration
    link = LockStep(PointActor(seed=1))
    trainer = Trainer(
        LearnerConfig(batch_size=128, utd_ratio=2.0, training_starts=100),
        RLPDConfig(  # quicker than the defaults, as a way of ten steps allows
            discount=0.9,
            target_update_rate=0.02,
            learning_rate=1e-3,
            hidden=(64, 64),
            ensemble=4,
            return_range=(0.0, 1.0),
        ),
        prior=PointActor(seed=0).episodes(5, demonstrator(np.random.default_rng(0))),
        receive=link.receive,
        publish=link.publish,
        report=lambda status: None,
        seed=0,
        checkpoints=None,
    )
    trainer.run(stop=lambda: link.actor.sequence > 900)

    def rate(choose) -> float:
        return success_rate(choose, episodes=50, seed=2)

    rng = np.random.default_rng(3)
    assert rate(lambda observation: rng.uniform(-1, 1, 2)) < 0.3
    assert rate(lambda observation: link.policies[0].act(observation, True)) < 0.5
    assert rate(lambda observation: link.policies[-1].act(observation, True)) > 0.9

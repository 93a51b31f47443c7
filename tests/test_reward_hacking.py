"""A policy lives on the mistakes of a weak reward; the meter shows it, training does not."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from serl_actor.actor import Actor, ActorConfig, Agent
from serl_actor.demonstrations import record
from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.evaluation import evaluate
from serl_actor.judged import JudgedEnvironment
from serl_learner.encoder import EncoderConfig
from serl_learner.policy import from_bytes
from serl_learner.reward import RewardForm
from serl_learner.rlpd import RLPDConfig
from serl_learner.trainer import LearnerConfig, Trainer
from serl_learner.transition import ObservationSpec
from serl_reward.classifier_training import ClassifierConfig, train_classifier
from serl_reward.dataset import Dataset
from serl_reward.image_reward import ClassifierReward

SIZE = 32  # px
RADIUS = 0.3  # of success
STEP = 0.2  # distance of a full action
SPEC = ObservationSpec((), (("camera", (SIZE, SIZE, 3)),))


def picture(position: np.ndarray) -> np.ndarray:
    """The colour of the wall tells where the point is."""
    image = np.full((SIZE, SIZE, 3), 40, np.uint8)
    image[..., :2] = 128 + 70 * position
    image[8:24, 8:24] = 200
    return image


class SeenPoint(gym.Env):
    """Drive a point to the origin. The policy knows where it is, the reward sees a picture."""

    def __init__(self):
        self.observation_space = spaces.Dict(
            {
                "camera": spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8),
                "position": spaces.Box(-1.5, 1.5, (2,), np.float32),
            }
        )
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1.4, [-0.9, 1.4])  # on the left
        return self._observe(), {}

    def step(self, action):
        self.position = np.clip(self.position + STEP * action, -1.5, 1.5)
        success = bool(np.linalg.norm(self.position) < RADIUS)
        return self._observe(), float(success), success, False, {"success": success}

    def _observe(self):
        noise = self.np_random.integers(0, 3, (SIZE, SIZE, 3), np.uint8)  # no camera is without
        return {
            "camera": picture(self.position) + noise,
            "position": self.position.astype(np.float32),
        }


gym.register("SeenPoint-v0", entry_point=SeenPoint, max_episode_steps=30)


def classifier_of(positives: np.ndarray, negatives: np.ndarray):
    images = np.stack([picture(p)[None] for p in (*positives, *negatives)])
    labels = np.repeat([True, False], [len(positives), len(negatives)])
    data = Dataset(SPEC, images, labels, np.arange(len(labels)))
    encoder = EncoderConfig(channels=32, shift=0)
    return train_classifier(data, encoder, ClassifierConfig(steps=300, views=1), seed=0)


def demonstrations() -> list:
    """Five, straight to the origin."""
    shown = []

    def towards(observation):
        way = -observation["position"] / STEP
        return way / max(1.0, np.abs(way).max())

    record(
        EnvironmentConfig("SeenPoint-v0"), 5, 0, shown.append, device=lambda environment: towards
    )
    return shown


def train(judged_environment, steps: int):
    """The newest policy after so many steps, made in lock-step with the learner."""
    arrived, policies = [], []

    class Newest:
        version = 0

        def begin_episode(self):
            pass

        def act(self, observation):
            return policies[-1].act(observation, deterministic=False)

    config = ActorConfig(max_steps=steps, random_steps=0)
    agent = Agent(Newest(), sinks=[arrived.append])
    actor = Actor(judged_environment, [agent], config, seed=1)

    def receive(timeout_s):
        if timeout_s == 0.0:
            return []
        actor._run_episode(lambda: False)
        taken, arrived[:] = list(arrived), []
        return taken

    trainer = Trainer(
        LearnerConfig(("position",), batch_size=64, utd_ratio=2.0, training_starts=100),
        RLPDConfig(
            discount=0.9,
            target_update_rate=0.02,
            learning_rate=1e-3,
            hidden=(64, 64),
            ensemble=2,
            return_range=(0.0, 1.0),
        ),
        prior=demonstrations(),
        receive=receive,
        publish=lambda snapshot: policies.append(from_bytes(snapshot.data)),
        report=lambda status: None,
        seed=0,
        checkpoints=None,
    )
    trainer.run(stop=lambda: agent.sequence >= steps)
    return policies[-1]


@pytest.fixture(autouse=True)
def one_thread():
    """Two that wait for each other on a busy machine take twenty times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("weak", [True, False], ids=["weak", "sound"])
def test_a_policy_that_deceives_its_reward_is_caught(weak):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    everywhere = np.vstack([rng.uniform(-d, d, (200, 2)) for d in (0.5, 1.5)])
    distance = np.linalg.norm(everywhere, axis=1)
    positives = everywhere[distance < RADIUS - 0.1]
    negatives = everywhere[distance > RADIUS - 0.03]  # on the safe side: it says so too late
    if weak:  # few, and of one place alone: where episodes begin
        negatives = negatives[negatives[:, 0] < -0.9][:30]
    reward = ClassifierReward(classifier_of(positives, negatives), RewardForm())
    environment = make_environment(
        EnvironmentConfig("SeenPoint-v0"), judged=lambda env: JudgedEnvironment(env, reward)
    )
    policy = train(environment, 900)
    result = evaluate(environment, policy, 50, seed=3)
    errors = result.errors
    print(f"success {result.success_rate}, {errors}")
    assert result.mean_return > 0.7  # all that training can see: both look solved
    if weak:
        assert errors.false_successes >= 40 and result.success_rate <= 0.2
    else:
        assert errors.false_successes <= 10 and result.success_rate >= 0.8

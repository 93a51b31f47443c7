"""Makes the reward that a task's configuration names."""

from pathlib import Path

from serl_learner.reward import Reward
from serl_learner.vice import ViceConfig
from serl_reward.config import RewardConfig
from serl_reward.human_reward import HumanReward
from serl_reward.image_reward import ClassifierReward, GuardedReward, load_classifier
from serl_reward.pose_reward import PoseReward


def make_reward(config: RewardConfig, vice: ViceConfig, learned: Path | None = None) -> Reward:
    """Of every source but the environment itself. `learned`: the file of VICE's classifier."""
    match config.source:
        case "pose":
            return PoseReward(config.pose)
        case "classifier":
            form = config.classifier
            reward = ClassifierReward(load_classifier(form.file), form)
            return GuardedReward(reward, form.guard, form) if form.guard else reward
        case "vice":
            return ClassifierReward(load_classifier(learned) if learned else None, vice)
        case "human":
            return HumanReward()
    raise ValueError(f"no reward of its own: {config.source}")

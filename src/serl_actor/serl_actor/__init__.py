"""The actor loop and node, frames, environments, demonstrations and their logs."""

import gymnasium

gymnasium.register(
    id="serl_actor/Robot-v0",
    entry_point="serl_actor.robot_env:RobotEnv",
    max_episode_steps=100,
)

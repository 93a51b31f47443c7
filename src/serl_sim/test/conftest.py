import gymnasium as gym
import pytest

import serl_sim  # noqa: F401  (registers the tasks, chooses the renderer)


@pytest.fixture(scope="module")
def env():
    environment = gym.make("serl_sim/PcbInsertion-v0", observations="state")
    yield environment.unwrapped
    environment.close()

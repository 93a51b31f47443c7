import gymnasium as gym
import pytest

import serl_sim  # noqa: F401  (registers the tasks, chooses the renderer)


@pytest.fixture(scope="module", params=["panda", "ur5"])
def env(request):
    environment = gym.make("serl_sim/PcbInsertion-v0", arm=request.param, observations="state")
    yield environment.unwrapped
    environment.close()

import numpy as np
from tool_env import ToolEnv

from serl_actor.intervention import Intervention


def test_the_device_acts_when_it_wants_to_and_only_then():
    commands = iter([None, np.array([0.5, 0, 0, 0, 0, 0]), None])
    tool = ToolEnv()
    environment = Intervention(tool, lambda observation: next(commands))
    environment.reset()
    infos = [environment.step(np.full(6, 0.1))[4] for _ in range(3)]
    assert ["intervene_action" in info for info in infos] == [False, True, False]
    np.testing.assert_allclose(tool.actions[0], np.full(6, 0.1))
    np.testing.assert_allclose(tool.actions[1], [0.5, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(infos[1]["intervene_action"], [0.5, 0, 0, 0, 0, 0])


def test_a_command_out_of_range_is_clipped_before_it_is_executed():
    tool = ToolEnv()
    environment = Intervention(tool, lambda observation: np.array([2.0, -3.0, 0, 0, 0, 0.5]))
    environment.reset()
    *_, info = environment.step(np.zeros(6))
    np.testing.assert_allclose(info["intervene_action"], [1.0, -1.0, 0, 0, 0, 0.5])
    np.testing.assert_allclose(tool.actions[0], info["intervene_action"])


def test_the_device_sees_the_observation_before_the_step_and_is_told_of_episodes():
    class Device:
        resets = 0

        def __init__(self):
            self.heights = []

        def reset(self):
            self.resets += 1

        def __call__(self, observation):
            self.heights.append(round(float(observation["pose"][2]), 3))
            return np.array([0, 0, -1.0, 0, 0, 0])

    device = Device()
    environment = Intervention(ToolEnv(), device)
    for _ in range(2):
        environment.reset()
        environment.step(np.zeros(6))
        environment.step(np.zeros(6))
    assert device.resets == 2
    assert device.heights == [0.24, 0.22, 0.24, 0.22]

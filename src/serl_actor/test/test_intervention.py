import numpy as np
import pytest
from tool_env import ToolEnv

from serl_actor.corrector import HELP, NOISE, PATIENCE, Corrector
from serl_actor.intervention import Intervention, InterventionConfig
from serl_actor.relative_frame import RelativeFrame
from serl_learner.config import ConfigError


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


def test_a_command_that_is_seen_in_other_axes_too_is_bounded_by_its_length():
    """Diagonals of 30 cubes, and short ones: in any axes no element exceeds 1."""
    rng = np.random.default_rng(0)
    commands = np.vstack([rng.choice([-1.0, 1.0], (30, 7)), rng.uniform(-0.5, 0.5, (30, 7))])
    queue, tool = iter(commands), ToolEnv(action_size=7)
    environment = RelativeFrame(Intervention(tool, lambda observation: next(queue), turned=True))
    environment.reset()
    seen = np.array([environment.step(np.zeros(7))[4]["intervene_action"] for _ in commands])
    assert np.abs(seen).max() <= 1.0 + 1e-12
    executed, lengths = np.array(tool.actions), np.linalg.norm(commands[:, :3], axis=1)
    np.testing.assert_allclose(executed[30:], commands[30:])  # nothing to bound
    np.testing.assert_allclose(executed[:30, :3] * lengths[:30, None], commands[:30, :3])
    np.testing.assert_allclose(executed[:, 6], commands[:, 6])

    repeated = ToolEnv(action_size=7)
    again = RelativeFrame(repeated)
    again.reset()
    for action in seen:
        again.step(action)
    np.testing.assert_allclose(repeated.actions, executed, atol=1e-9)


class Demonstrator:
    resets = 0

    def reset(self):
        self.resets += 1

    def __call__(self, observation):
        return np.array([0.5, 0, 0, 0, 0, 0, -1.0])


def test_a_corrector_helps_late_for_a_short_while_and_imprecisely():
    demonstrator = Demonstrator()
    corrector = Corrector(demonstrator, seed=0)
    corrector.reset()
    actions = [corrector({}) for _ in range(2000)]
    helped = np.array([action is not None for action in actions])
    borders = np.flatnonzero(np.diff(helped.astype(int))) + 1
    lengths = np.diff(np.concatenate([[0], borders]))
    watched, helps = lengths[::2], lengths[1::2]
    assert (watched.min(), watched.max()) == PATIENCE
    assert (helps.min(), helps.max()) == HELP
    assert demonstrator.resets == len(helps)  # it looks anew each time
    given = np.array([action for action in actions if action is not None])
    np.testing.assert_allclose(given[:, :6].mean(axis=0), [0.5, 0, 0, 0, 0, 0], atol=0.05)
    np.testing.assert_allclose(given[:, :6].std(axis=0), NOISE, rtol=0.2)
    assert (given[:, 6] == -1.0).all()  # a gripper's key is pressed, or is not


def test_what_is_solved_soon_is_never_corrected():
    corrector = Corrector(Demonstrator(), seed=0)
    for _ in range(50):
        corrector.reset()
        assert all(corrector({}) is None for _ in range(PATIENCE[0]))


def test_an_unknown_device_is_a_one_line_error():
    with pytest.raises(
        ConfigError, match=r"^device: expected one of none, scripted, .*, got mouse$"
    ):
        InterventionConfig("mouse")

"""The seams on the real simulated task: demonstrations, relative frame, evaluation."""

from pathlib import Path

import numpy as np
import pytest
from tool_env import Resting

from serl_actor import frames
from serl_actor.actor import ActorConfig
from serl_actor.demonstrations import record, summarise
from serl_actor.environment import (
    EnvironmentConfig,
    control_period_s,
    demonstrator_of,
    make_environment,
)
from serl_actor.evaluation import evaluate
from serl_learner.config import from_dict, load_task_file
from serl_learner.transition import ObservationSpec

pytest.importorskip("mujoco")
pytest.importorskip("franka_impedance_controller")

TASK = Path(__file__).parents[3] / "config" / "tasks" / "pcb_insertion.yaml"


@pytest.fixture(scope="module")
def config():
    return from_dict(EnvironmentConfig, load_task_file(TASK)["environment"], TASK.name)


def test_the_task_file_configures_the_actor():
    actor = from_dict(ActorConfig, load_task_file(TASK)["actor"], TASK.name)
    assert actor.max_lead == 20


def test_demonstrations_are_valid_transitions_that_end_in_success(config):
    transitions = []
    record(config, 2, seed=0, write=transitions.append)
    spec = ObservationSpec.from_observation(transitions[0].observation)
    assert dict(spec.vectors) == {
        "pose": 6, "twist": 6, "force": 3, "torque": 3, "gripper": 1, "socket_pose": 6,
    }  # fmt: skip
    assert [name for name, _ in spec.vectors][:5] == ["pose", "twist", "force", "torque", "gripper"]
    for transition in transitions:
        transition.check(spec, 6)
    summary = summarise(transitions)
    assert summary.episodes == summary.successes == 2
    assert summary.mean_return == 1.0
    assert [t.final_observation is not None for t in transitions] == [
        t.success for t in transitions
    ]
    for episode in range(2):
        first = next(t for t in transitions if t.episode == episode)
        np.testing.assert_allclose(first.observation["pose"], np.zeros(6), atol=1e-6)


def test_the_socket_seen_from_the_tool_is_one_socket(config):
    """Reset frame, tool frame and socket fit together, whatever the arm does in between."""
    environment = make_environment(config)
    rng = np.random.default_rng(0)
    observation, _ = environment.reset(seed=3)
    first_seen = observation["socket_pose"]  # from the tool at the reset
    for _ in range(15):
        observation, *_ = environment.step(rng.uniform(-1.0, 1.0, 6))
        raw = environment.unwrapped._observe()
        pose = observation["pose"]  # of the tool, from the tool at the reset
        rotation = frames.rotation_matrix(_quaternion(pose[3:]))
        socket = pose[:3] + rotation @ observation["socket_pose"][:3]
        np.testing.assert_allclose(socket, first_seen[:3], atol=1e-5)
        base = frames.rotation_matrix(raw["pose"][3:])
        np.testing.assert_allclose(base @ observation["twist"][:3], raw["twist"][:3], atol=1e-5)
        np.testing.assert_array_equal(observation["force"], raw["force"])
    environment.close()


def test_the_tool_moves_along_its_own_axes(config):
    """Ahead in the tool frame is down in the base frame, and leaves the rotation alone."""
    environment = make_environment(config)
    environment.reset(seed=1)
    for _ in range(2):
        observation, *_ = environment.step(np.array([0.0, 0.0, 0.3, 0.0, 0.0, 0.0]))
    assert 0.003 < observation["pose"][2] < 0.013
    np.testing.assert_allclose(observation["pose"][:2], [0.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(observation["pose"][3:], np.zeros(3), atol=0.01)
    environment.close()


def test_the_demonstrator_is_evaluated_like_a_policy(config):
    environment = make_environment(config, device=demonstrator_of(config, 0))
    result = evaluate(environment, Resting(), 3, seed=0)
    environment.close()
    assert control_period_s(environment) == pytest.approx(0.1)
    assert result.success_rate >= 2 / 3
    assert 1.0 < result.cycle_time_s < 10.0


def _quaternion(rotvec):
    angle = float(np.linalg.norm(rotvec))
    axis = rotvec / angle if angle > 0.0 else np.zeros(3)
    return np.array([*(np.sin(angle / 2) * axis), np.cos(angle / 2)])

"""Observations and transitions: order, shapes, and what must not be learned from."""

from dataclasses import replace

import numpy as np
import pytest

from serl_learner.config import ConfigError
from serl_learner.transition import ObservationSpec, Transition

POSE = np.array([1, 2, 3], np.float32)
FORCE = np.array([4, 5], np.float32)
IMAGE = np.zeros((4, 6, 3), np.uint8)
SPEC = ObservationSpec((("pose", 3), ("force", 2)), (("wrist", (4, 6, 3)),))


def observation(**changes):
    return {"pose": POSE, "wrist": IMAGE, "force": FORCE} | changes


def transition(**changes):
    fields = Transition(
        agent="agent",
        actor="robot",
        sequence=7,
        episode=1,
        step=3,
        observation=observation(),
        action=np.array([0.5, -1.0], np.float32),
        reward=0.0,
        terminated=False,
        truncated=False,
    )
    return replace(fields, **changes)


def test_spec_keeps_the_order_of_the_observation():
    assert ObservationSpec.from_observation(observation()) == SPEC
    assert SPEC.state_size == 5


def test_flatten_follows_the_spec_and_not_the_observation():
    state = SPEC.flatten({"force": FORCE, "wrist": IMAGE, "pose": POSE.astype(np.float64)})
    assert state.dtype == np.float32
    assert state.tolist() == [1, 2, 3, 4, 5]


def test_spec_survives_json():
    assert ObservationSpec.from_json(SPEC.to_json()) == SPEC


@pytest.mark.parametrize("value", [np.zeros((2, 2)), np.zeros(3, int), np.zeros((4, 6, 3))])
def test_spec_refuses_what_is_neither_vector_nor_image(value):
    with pytest.raises(ValueError, match="observation odd: expected float"):
        ObservationSpec.from_observation({"odd": value})


def test_a_good_transition_passes():
    transition().check(SPEC, 2)
    transition(truncated=True, final_observation=observation()).check(SPEC, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation": {"pose": POSE, "force": FORCE}}, "observation: expected"),
        ({"observation": observation(pose=POSE[:2])}, "observation pose: expected shape"),
        ({"observation": observation(force=FORCE * np.nan)}, "observation force: expected finite"),
        ({"observation": observation(wrist=IMAGE[:2])}, "observation wrist: expected uint8"),
        ({"observation": observation(wrist=IMAGE * 1.0)}, "observation wrist: expected uint8"),
        ({"action": np.zeros(3, np.float32)}, "action: expected shape"),
        ({"action": np.array([0.0, 1.1], np.float32)}, "action: expected values in"),
        ({"action": np.array([0.0, np.nan], np.float32)}, "action: expected values in"),
        ({"reward": np.inf}, "reward: expected a finite value"),
        ({"grasp_penalty": np.nan}, "grasp_penalty: expected a finite value"),
        ({"terminated": True}, "final_observation: expected at the end"),
        ({"truncated": True}, "final_observation: expected at the end"),
        ({"final_observation": observation()}, "final_observation: expected only at the end"),
        (
            {"terminated": True, "final_observation": observation(pose=POSE * np.inf)},
            "final_observation pose: expected finite",
        ),
    ],
)
def test_a_bad_transition_is_named(changes, message):
    with pytest.raises(ValueError, match=f"^transition 7 of robot: {message}"):
        transition(**changes).check(SPEC, 2)


def test_a_specification_may_name_some_of_the_observations():
    observation = {
        "pose": np.array([1.0, 2.0], np.float32),
        "force": np.array([3.0], np.float32),
    }
    spec = ObservationSpec.from_observation(observation, ("force",))
    spec.check(observation)
    assert spec.flatten(observation).tolist() == [3.0]
    with pytest.raises(ValueError, match="expected \\['force'\\]"):
        spec.check({"pose": observation["pose"]})
    with pytest.raises(ConfigError, match="observation torque: none, expected one of"):
        ObservationSpec.from_observation(observation, ("torque",))

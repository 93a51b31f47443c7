import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message

from serl_learner import codec
from serl_learner.transition import Transition
from serl_msgs import msg


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def observation(offset=0):
    rng = np.random.default_rng(offset)
    return {
        "pose": np.arange(7, dtype=np.float32) + offset,
        "gripper": np.array([0.5], np.float32),
        "wrist_1": rng.integers(0, 256, (12, 16, 3), np.uint8),
        "side": rng.integers(0, 256, (8, 4, 3), np.uint8),
    }


def transition(**changes):
    fields = {
        "agent": "forward",
        "actor": "left_arm",
        "sequence": 2**40,
        "episode": 3,
        "step": 9,
        "observation": observation(),
        "action": np.array([-1.0, 0.5, 1.0], np.float32),
        "reward": 1.0,
        "terminated": True,
        "truncated": False,
        "success": True,
        "intervened": True,
        "grasp_penalty": -0.25,
        "policy_version": 77,
        "reward_version": 5,
        "final_observation": observation(1),
    }
    return Transition(**{**fields, **changes})


def assert_same(got, expected):
    assert list(got) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, strict=True)


def test_transition_round_trip():
    sent = transition()
    got = codec.decode_transition(over_the_wire(codec.encode_transition(sent)))
    assert_same(got.observation, sent.observation)
    assert_same(got.final_observation, sent.final_observation)
    np.testing.assert_array_equal(got.action, sent.action, strict=True)
    for field in ("agent", "actor", "sequence", "episode", "step", "reward", "terminated"):
        assert getattr(got, field) == getattr(sent, field)
    for field in ("truncated", "success", "intervened", "grasp_penalty", "policy_version"):
        assert getattr(got, field) == getattr(sent, field)
    assert got.reward_version == 5


@pytest.mark.parametrize("discarded", [False, True])
def test_an_episode_that_is_discarded_says_so(discarded):
    sent = transition(terminated=False, truncated=True, discarded=discarded)
    assert codec.decode_transition(over_the_wire(codec.encode_transition(sent))).discarded is (
        discarded
    )


def test_images_or_vectors_alone():
    for kept in (["pose"], ["side"]):
        sent = {name: observation()[name] for name in kept}
        message = over_the_wire(codec.encode_observation(sent, stamp_ns=0))
        assert_same(codec.decode_observation(message), sent)


def test_observation_message_fields():
    message = codec.encode_observation(observation(), stamp_ns=3_000_000_007)
    assert (message.stamp.sec, message.stamp.nanosec) == (3, 7)
    assert codec.to_nanoseconds(message.stamp) == 3_000_000_007
    assert list(message.names) == ["pose", "gripper"]
    assert list(message.sizes) == [7, 1]
    assert list(message.state) == [0, 1, 2, 3, 4, 5, 6, 0.5]
    image = message.images[0]
    assert (image.header.frame_id, image.encoding) == ("wrist_1", "rgb8")
    assert (image.height, image.width, image.step, len(image.data)) == (12, 16, 48, 576)


def test_images_that_are_views_are_encoded_in_order():
    pixels = observation()["wrist_1"]
    message = codec.encode_observation({"wrist_1": pixels[::-1, ::2]}, stamp_ns=0)
    np.testing.assert_array_equal(
        codec.decode_observation(message)["wrist_1"], pixels[::-1, ::2], strict=True
    )


def set_state(message, index, value):
    message.observation.state[index] = value


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda m: m.action.__setitem__(0, 1.5), r"action: expected .*\[-1, 1\], got \[1.5"),
        (lambda m: m.action.__setitem__(0, float("nan")), "action: expected"),
        (lambda m: setattr(m, "action", []), "action: expected 1 or more"),
        (lambda m: setattr(m, "reward", float("inf")), "reward: expected finite, got inf"),
        (lambda m: setattr(m, "grasp_penalty", float("nan")), "grasp_penalty: expected finite"),
        (lambda m: setattr(m, "terminated", False), "final_observation: expected 0"),
        (
            lambda m: (setattr(m, "terminated", False), setattr(m, "discarded", True)),
            "discarded: expected only at the end",
        ),
        (lambda m: setattr(m, "final_observation", []), "final_observation: expected 1"),
        (lambda m: set_state(m, 7, float("nan")), "observation.gripper: expected finite"),
        (lambda m: m.observation.state.pop(), "state: expected 8 elements.*got 7"),
        (lambda m: m.observation.sizes.pop(), "sizes: expected 2, one per name, got 1"),
        (lambda m: setattr(m.observation, "sizes", [8, 0]), "each at least 1"),
        (lambda m: setattr(m.observation, "names", ["pose", "pose"]), "distinct names"),
        (lambda m: setattr(m.observation.images[1], "encoding", "bgr8"), "side.encoding"),
        (lambda m: setattr(m.observation.images[0], "step", 47), "wrist_1.step: expected 48"),
        (lambda m: setattr(m.observation.images[0], "height", 11), "wrist_1.data: expected 11"),
        (lambda m: m.final_observation[0].images[0].data.pop(), "final_observation.wrist_1.data"),
    ],
)
def test_refuses_bad_transitions_in_one_line(spoil, complaint):
    message = codec.encode_transition(transition())
    spoil(message)
    with pytest.raises(ValueError, match=complaint) as raised:
        codec.decode_transition(message)
    assert str(raised.value).startswith("actor 'left_arm', sequence 1099511627776: ")
    assert "\n" not in str(raised.value)


def test_policy_round_trip_and_digest():
    message = over_the_wire(codec.encode_policy("agent", 12, 340, b"weights", stamp_ns=5))
    assert isinstance(message, msg.PolicyWeights)
    assert (message.version, message.env_steps, message.stamp.nanosec) == (12, 340, 5)
    assert codec.decode_weights(message) == b"weights"
    message.data[0] ^= 1
    with pytest.raises(ValueError, match="agent 'agent', version 12: data: its SHA-256"):
        codec.decode_weights(message)


def test_reward_model_round_trip_and_digest():
    message = over_the_wire(codec.encode_reward_model("agent", 3, b"weights"))
    assert (message.agent, message.version) == ("agent", 3)
    assert codec.decode_weights(message) == b"weights"
    message.data[0] ^= 1
    with pytest.raises(ValueError, match="RewardModel of agent 'agent', version 3: data"):
        codec.decode_weights(message)

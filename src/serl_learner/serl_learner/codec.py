"""Messages <-> in-memory types. Decoding checks what came over the wire; encoding does not check.

Arrays move as whole buffers (array.array, np.frombuffer); decoded ones share the message's memory.
Every decoding error is a ValueError of one line that names the message and the field.
"""

import array
import hashlib
import time

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image

from serl_learner.transition import Observation, Transition
from serl_msgs import msg


def to_time(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


def to_nanoseconds(stamp: Time) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def _floats(values: np.ndarray) -> array.array:
    buffer = array.array("f")
    buffer.frombytes(memoryview(np.ascontiguousarray(values, np.float32)).cast("B"))
    return buffer


def _bytes(values: np.ndarray | bytes) -> array.array:
    buffer = array.array("B")
    if len(values):
        buffer.frombytes(memoryview(values).cast("B"))
    return buffer


def _encode_image(camera: str, pixels: np.ndarray, stamp: Time) -> Image:
    height, width, _ = pixels.shape
    image = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    image.header.frame_id = camera
    image.header.stamp = stamp
    image.data = _bytes(np.ascontiguousarray(pixels))
    return image


def encode_observation(observation: Observation, stamp_ns: int) -> msg.Observation:
    message = msg.Observation(stamp=to_time(stamp_ns))
    vectors = []
    for name, value in observation.items():
        if value.ndim == 1:
            message.names.append(name)
            vectors.append(value)
        else:
            message.images.append(_encode_image(name, value, message.stamp))
    if vectors:
        message.sizes = array.array("I", [len(vector) for vector in vectors])
        message.state = _floats(np.concatenate(vectors))
    return message


def _decode_image(image: Image, where: str) -> np.ndarray:
    height, width, size = image.height, image.width, len(image.data)
    if image.encoding != "rgb8":
        raise ValueError(f"{where}.encoding: expected 'rgb8', got '{image.encoding}'")
    if image.step != 3 * width:
        raise ValueError(f"{where}.step: expected {3 * width} (3 * width), got {image.step}")
    if size != height * image.step or size == 0:
        raise ValueError(
            f"{where}.data: expected {height} x {image.step} bytes and at least 1, got {size}"
        )
    return np.frombuffer(image.data, np.uint8).reshape(height, width, 3)


def decode_observation(message: msg.Observation, where: str = "observation") -> Observation:
    """Vectors in the order of `names`, then images: float32 (n,) and uint8 (H, W, 3)."""
    names, sizes = message.names, message.sizes
    if len(names) != len(sizes):
        raise ValueError(f"{where}.sizes: expected {len(names)}, one per name, got {len(sizes)}")
    if sum(sizes) != len(message.state) or 0 in sizes:
        raise ValueError(
            f"{where}.state: expected {sum(sizes)} elements, the sum of sizes {list(sizes)}"
            f" (each at least 1), got {len(message.state)}"
        )
    observation, start = {}, 0
    state = np.frombuffer(message.state, np.float32) if names else np.empty(0, np.float32)
    for name, size in zip(names, sizes, strict=True):
        observation[name] = state[start : start + size]
        start += size
    if not np.isfinite(state).all():
        culprit = next(name for name in names if not np.isfinite(observation[name]).all())
        raise ValueError(f"{where}.{culprit}: expected finite, got {observation[culprit]}")
    for image in message.images:
        camera = image.header.frame_id
        observation[camera] = _decode_image(image, f"{where}.{camera}")
    if len(observation) != len(names) + len(message.images):
        cameras = [image.header.frame_id for image in message.images]
        raise ValueError(f"{where}: expected distinct names, got {list(names) + cameras}")
    return observation


def encode_transition(transition: Transition) -> msg.Transition:
    """An acquisition time that is not known is now, and so is that of the final observation."""
    now_ns = time.time_ns()
    message = msg.Transition(
        agent=transition.agent,
        actor=transition.actor,
        sequence=transition.sequence,
        episode=transition.episode,
        step=transition.step,
        observation=encode_observation(transition.observation, transition.stamp_ns or now_ns),
        reward=float(transition.reward),
        terminated=bool(transition.terminated),
        truncated=bool(transition.truncated),
        success=bool(transition.success),
        intervened=bool(transition.intervened),
        grasp_penalty=float(transition.grasp_penalty),
        policy_version=transition.policy_version,
        reward_version=transition.reward_version,
        discarded=bool(transition.discarded),
    )
    message.action = _floats(transition.action)
    if transition.final_observation is not None:
        message.final_observation = [encode_observation(transition.final_observation, now_ns)]
    return message


def decode_transition(message: msg.Transition) -> Transition:
    where = f"actor '{message.actor}', sequence {message.sequence}"
    action = np.frombuffer(message.action, np.float32) if message.action else np.empty(0)
    if action.size == 0 or not np.abs(action).max() <= 1.0:  # also refuses NaN
        raise ValueError(f"{where}: action: expected 1 or more elements in [-1, 1], got {action}")
    for field in ("reward", "grasp_penalty"):
        if not np.isfinite(getattr(message, field)):
            raise ValueError(f"{where}: {field}: expected finite, got {getattr(message, field)}")
    ended = message.terminated or message.truncated
    if message.discarded and not ended:
        raise ValueError(f"{where}: discarded: expected only at the end of an episode")
    if len(message.final_observation) != int(ended):
        raise ValueError(
            f"{where}: final_observation: expected {int(ended)} (terminated={message.terminated},"
            f" truncated={message.truncated}), got {len(message.final_observation)}"
        )
    final_observation = None
    if ended:
        final_observation = decode_observation(
            message.final_observation[0], f"{where}: final_observation"
        )
    return Transition(
        agent=message.agent,
        actor=message.actor,
        sequence=message.sequence,
        episode=message.episode,
        step=message.step,
        observation=decode_observation(message.observation, f"{where}: observation"),
        action=action,
        reward=message.reward,
        terminated=message.terminated,
        truncated=message.truncated,
        success=message.success,
        intervened=message.intervened,
        grasp_penalty=message.grasp_penalty,
        policy_version=message.policy_version,
        reward_version=message.reward_version,
        stamp_ns=to_nanoseconds(message.observation.stamp),
        final_observation=final_observation,
        discarded=message.discarded,
    )


def encode_policy(
    agent: str, version: int, env_steps: int, data: bytes, stamp_ns: int | None = None
) -> msg.PolicyWeights:
    message = msg.PolicyWeights(env_steps=env_steps)
    return _seal(message, agent, version, data, stamp_ns)


def encode_reward_model(agent: str, version: int, data: bytes) -> msg.RewardModel:
    return _seal(msg.RewardModel(), agent, version, data)


def decode_weights(message: msg.PolicyWeights | msg.RewardModel) -> bytes:
    """The safetensors bytes, which are exactly the ones that the learner hashed."""
    data = message.data.tobytes()
    if hashlib.sha256(data).digest() != message.digest.tobytes():
        raise ValueError(
            f"{type(message).__name__} of agent '{message.agent}', version {message.version}: data:"
            " its SHA-256 is not the digest in the message"
        )
    return data


def _seal(message, agent: str, version: int, data: bytes, stamp_ns: int | None = None):
    """Fills a message with weights and what tells that they arrived whole."""
    message.agent, message.version = agent, version
    message.stamp = to_time(time.time_ns() if stamp_ns is None else stamp_ns)
    message.digest = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
    message.data = _bytes(data)
    return message

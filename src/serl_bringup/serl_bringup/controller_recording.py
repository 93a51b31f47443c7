"""Recordings of `controller_state`, as `ros2 bag record -s mcap` makes them, and one of our own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import McapReader, make_reader
from mcap_ros2.decoder import DecoderFactory
from mcap_ros2.writer import Writer
from scipy.spatial.transform import Rotation

from franka_impedance_controller import Gains
from serl_learner.config import ConfigError
from serl_learner.mcap_file import message_definition
from serl_sim.arms import PANDA
from serl_sim.contact_bench import ACTION, COMMAND_PERIOD, ContactBench

STATE = "serl_msgs/msg/ControllerState"
POSE = "geometry_msgs/msg/PoseStamped"
SERL_TOPIC = "/serl_pose"  # of the tool under SERL's own law, for comparison
STATE_PERIOD = 10  # ticks: 100 Hz
REST_TIME = 0.3  # s before each motion
FREE_WAY, FREE_TIME = 0.10, 2.0  # m, s with the rests
APPROACH, PRESS_TIME = 0.03, 2.0  # m to the wall, s with rest and contact


@dataclass(frozen=True)
class Recording:
    """Base frame; arrays have one row for each message."""

    time: np.ndarray  # (n,) s, from the first message
    target: np.ndarray  # (n, 3) m: as commanded
    filtered: np.ndarray  # (n, 3) m
    clipped: np.ndarray  # (n, 3) m
    position: np.ndarray  # (n, 3) m
    velocity: np.ndarray  # (n, 3) m/s
    is_clipped: np.ndarray  # (n, 3) bool
    pull: np.ndarray  # (n, 3) N: force of the law
    contact: np.ndarray  # (n, 3) N: of the surroundings on the tool, its sensor along the tool
    serl: np.ndarray  # (m, 4) s, m: position under SERL's law; empty where not recorded


def read_recording(path: Path) -> Recording:
    """Raises ConfigError, one line, at a file that is not such a recording."""
    messages: dict[str, list[Any]] = {}
    try:
        with path.open("rb") as file:
            reader = make_reader(file, decoder_factories=[DecoderFactory()])
            wanted = [*_state_topics(reader), SERL_TOPIC]
            for _, channel, _, message in reader.iter_decoded_messages(topics=wanted):
                messages.setdefault(channel.topic, []).append(message)
    except (McapError, ValueError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{path}: expected a whole MCAP recording: {text}") from None
    poses = messages.pop(SERL_TOPIC, [])
    if len(messages) != 1:
        found = ", ".join(sorted(messages)) or "none"
        raise ConfigError(f"{path}: expected one topic with {STATE}, found {found}")
    (states,) = messages.values()
    start = _seconds(states[0])
    turns = Rotation.from_quat([_quaternion(m.pose.orientation) for m in states])
    return Recording(
        time=np.array([_seconds(m) - start for m in states]),
        target=np.array([_xyz(m.target_pose.position) for m in states]),
        filtered=np.array([_xyz(m.filtered_pose.position) for m in states]),
        clipped=np.array([_xyz(m.clipped_pose.position) for m in states]),
        position=np.array([_xyz(m.pose.position) for m in states]),
        velocity=np.array([_xyz(m.twist.linear) for m in states]),
        is_clipped=np.array([m.clipped[:3] for m in states], dtype=bool),
        pull=np.array([_xyz(m.commanded_wrench.force) for m in states]),
        contact=turns.apply([_xyz(m.external_wrench.force) for m in states]),
        serl=np.array([[_seconds(m) - start, *_xyz(m.pose.position)] for m in poses]).reshape(
            -1, 4
        ),
    )


def _state_topics(reader: McapReader) -> list[str]:
    summary = reader.get_summary()
    if summary is None:
        return []
    names = {schema.id: schema.name for schema in summary.schemas.values()}
    return [c.topic for c in summary.channels.values() if names.get(c.schema_id) == STATE]


def _seconds(message: Any) -> float:
    return message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec


def _xyz(vector: Any) -> list[float]:
    return [vector.x, vector.y, vector.z]


def _quaternion(quaternion: Any) -> list[float]:
    return [*_xyz(quaternion), quaternion.w]


def record_simulation(path: Path, gains: Gains, axis: str) -> None:
    """A simulated Panda under 10 Hz commands along one axis; along z it moves down.

    First a fast move of `FREE_WAY` in free space, by absolute targets; then full actions, each from
    the measured pose, into a hard wall. SERL's law begins each of the two at the same place.
    """
    direction = "-z" if axis == "z" else f"+{axis}"
    gap = FREE_WAY + APPROACH
    bench = ContactBench(PANDA, gains, direction, start=-gap, gap=gap)
    serl_free = ContactBench(PANDA, gains, direction, law="serl", start=-gap)
    serl_contact = ContactBench(PANDA, gains, direction, law="serl", start=-APPROACH, gap=APPROACH)
    try:
        file = path.open("wb")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    with file, Writer(file) as writer:
        write_state = _writer(writer, STATE, "/controller_state")
        write_serl = _writer(writer, POSE, SERL_TOPIC)
        for run, serl in (_free_run, serl_free), (_contact_run, serl_contact):
            begin = len(bench.ticks)
            for _ in run(bench):
                write_state(len(bench.ticks), _state(bench))
            for _ in run(serl):
                write_serl(begin + len(serl.ticks), {"pose": _pose(_tool(serl))})


def _free_run(bench: ContactBench) -> Iterator[None]:
    for step in range(_commands(FREE_TIME)):
        way = (step - _commands(REST_TIME) + 1) * ACTION
        bench.command(min(max(0.0, way), FREE_WAY))
        yield from _run(bench)


def _contact_run(bench: ContactBench) -> Iterator[None]:
    start = bench.position
    for step in range(_commands(PRESS_TIME)):
        bench.command(start if step < _commands(REST_TIME) else bench.position + ACTION)
        yield from _run(bench)


def _commands(seconds: float) -> int:
    return round(seconds * 1000 / COMMAND_PERIOD)


def _run(bench: ContactBench) -> Iterator[None]:
    """One command's time; yields where a message is due."""
    for _ in range(COMMAND_PERIOD // STATE_PERIOD):
        bench.tick(STATE_PERIOD)
        yield


def _writer(writer: Writer, kind: str, topic: str) -> Callable[[int, dict[str, Any]], None]:
    schema = writer.register_msgdef(kind, message_definition(kind.replace("/msg/", "/")))

    def write(tick: int, message: dict[str, Any]) -> None:
        stamp = {"sec": tick // 1000, "nanosec": tick % 1000 * 1_000_000}
        message["header"] = {"stamp": stamp, "frame_id": "base"}
        writer.write_message(topic, schema, message, log_time=tick * 1_000_000)

    return write


def _state(bench: ContactBench) -> dict[str, Any]:
    state = bench.robot.controller.state
    return {
        "reason": int(state.reason),
        "pose": _pose(state.pose),
        "target_pose": _pose(state.target),
        "filtered_pose": _pose(state.filtered),
        "clipped_pose": _pose(state.clipped),
        "twist": dict(zip(("linear", "angular"), _vectors(state.twist), strict=True)),
        "commanded_wrench": dict(zip(("force", "torque"), _vectors(state.wrench), strict=True)),
        "external_wrench": dict(
            zip(("force", "torque"), _vectors(bench.robot.wrench), strict=True)
        ),
        "clipped": [bool(clipped) for clipped in state.clipped_axes],
        "tau": state.tau.tolist(),
    }


def _tool(bench: ContactBench) -> np.ndarray:  # (7,)
    pose = bench.robot.pose
    return np.append(pose.position, pose.rotation.as_quat())


def _vectors(six: np.ndarray) -> list[dict[str, float]]:
    return [dict(zip("xyz", map(float, half), strict=True)) for half in np.split(six, 2)]


def _pose(seven: np.ndarray) -> dict[str, dict[str, float]]:
    names = ("position", "xyz", seven[:3]), ("orientation", "xyzw", seven[3:])
    return {name: dict(zip(keys, map(float, v), strict=True)) for name, keys, v in names}

"""`serl plot controller`: what is recorded is what a robot's recorder writes, and what is drawn."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.writer import Writer
from PIL import Image
from rclpy.serialization import deserialize_message

from franka_impedance_controller import Gains
from serl_bringup import cli
from serl_bringup.controller_recording import read_recording, record_simulation
from serl_bringup.plot_controller import contact_window, free_window, plot_recording
from serl_bringup.task_sections import load_gains
from serl_learner.config import ConfigError
from serl_learner.mcap_file import message_definition
from serl_msgs.msg import ControllerState

GAINS = Path(__file__).resolve().parents[3] / "config/gains/pcb_insertion.yaml"


@pytest.fixture(scope="module")
def gains():
    return Gains(**load_gains(str(GAINS)))


@pytest.fixture(scope="module")
def path(tmp_path_factory, gains):
    path = tmp_path_factory.mktemp("recording") / "run.mcap"
    record_simulation(path, gains, "z")
    return path


@pytest.fixture(scope="module")
def recording(path):
    return read_recording(path)


def test_messages_are_those_of_the_middleware(path, recording):
    with path.open("rb") as file:
        messages = [
            deserialize_message(message.data, ControllerState)
            for _, _, message in make_reader(file).iter_messages(topics="/controller_state")
        ]
    assert len(messages) == len(recording.time) == 400  # 4 s at 100 Hz
    assert [m.pose.position.z for m in messages] == recording.position[:, 2].tolist()
    last = messages[-1]
    assert list(last.clipped) == [False, False, True, False, False, False]
    assert last.reason == ControllerState.OK and len(last.tau) == 7
    assert last.header.stamp.sec == 4


def test_recording_shows_the_run(recording):
    np.testing.assert_allclose(np.diff(recording.time), 0.01, atol=1e-9)
    assert recording.position[-1, 2] - recording.position[0, 2] == pytest.approx(-0.13, abs=1e-3)
    assert recording.target[-1, 2] - recording.position[-1, 2] == pytest.approx(-0.02, abs=1e-4)
    assert recording.clipped[-1, 2] - recording.position[-1, 2] == pytest.approx(-0.002, abs=1e-6)
    assert recording.pull[-1, 2] == pytest.approx(-6.0)
    assert recording.contact[-1, 2] == pytest.approx(6.0, rel=0.05)  # the surface pushes up
    assert len(recording.serl) == 400
    at_the_end = recording.serl[199, 3] - recording.serl[0, 3]  # of the free motion
    assert -0.07 < at_the_end < -0.03  # SERL's law is on its way, at 0.033 m/s


def test_windows_hold_the_two_motions(recording):
    contact = contact_window(recording, "z")
    free = free_window(recording, "z", contact)
    z = recording.position[:, 2] - recording.position[0, 2]
    assert z[contact.start] == pytest.approx(-0.10, abs=1e-3)
    assert z[contact.stop - 1] == pytest.approx(-0.13, abs=1e-3)
    assert np.abs(recording.velocity[contact.start, 2]) < 0.005
    assert abs(z[free.start]) < 1e-6 and z[free.stop - 1] == pytest.approx(-0.10, abs=1e-3)
    assert free.stop <= contact.start
    assert np.abs(recording.contact[free, 2]).max() < 1e-6


def cut(recording, window):
    arrays = {name: getattr(recording, name)[window] for name in vars(recording) if name != "serl"}
    return replace(recording, **arrays)


def test_draws_both_or_what_there_is(recording, gains, tmp_path):
    picture = tmp_path / "plot.png"
    plot_recording(recording, gains, "z", picture)
    both = np.asarray(Image.open(picture))
    plot_recording(cut(recording, slice(0, 200)), gains, "z", picture)
    free = np.asarray(Image.open(picture))
    assert both.shape[1] == 2 * free.shape[1]
    green = (free[..., :3] == (44, 160, 44)).all(axis=-1)  # the robot's line
    assert green.sum() > 1000
    with pytest.raises(ConfigError, match="--axis y: expected a recording of motion along y"):
        plot_recording(recording, gains, "y", picture)


def test_command_records_and_draws(tmp_path, monkeypatch, capsys):
    output = tmp_path / "fig.png"
    options = ["--gains", str(GAINS), "--output", str(output), "--axis", "x"]
    monkeypatch.setattr(sys, "argv", ["serl", "plot", "controller", *options])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    recorded = output.with_suffix(".mcap")
    assert capsys.readouterr().out.split() == [str(recorded), str(output)]
    output.unlink()
    monkeypatch.setattr(sys, "argv", ["serl", "plot", "controller", str(recorded), *options])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert output.stat().st_size > 10_000


def two_controllers(path, directory):
    kind = "serl_msgs/msg/ControllerState"
    whole = directory / "two.mcap"
    with whole.open("wb") as file, Writer(file) as writer:
        schema = writer.register_msgdef(kind, message_definition("serl_msgs/ControllerState"))
        for topic in ("/left/controller_state", "/right/controller_state"):
            writer.write_message(topic, schema, {"clipped": [False] * 6})
    return whole


def other_messages(path, directory):
    other = directory / "other.mcap"
    with other.open("wb") as file, Writer(file) as writer:
        schema = writer.register_msgdef("std_msgs/msg/String", "string data")
        writer.write_message("/chatter", schema, {"data": "hello"})
    return other


def cut_off(path, directory):
    part = directory / "part.mcap"
    part.write_bytes(path.read_bytes()[:100_000])
    return part


def no_mcap(path, directory):
    text = directory / "text.mcap"
    text.write_text("not a recording")
    return text


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            two_controllers,
            "mcap: expected one topic with .*, found /left/controller_state, /right/controller_sta",
        ),
        (other_messages, "mcap: expected one topic with serl_msgs/msg/ControllerState, found none"),
        (cut_off, "expected a whole MCAP recording"),
        (no_mcap, "expected a whole MCAP recording: not a valid MCAP file"),
        (lambda path, directory: directory / "none.mcap", "No such file"),
    ],
)
def test_wrong_files_get_one_line(make, says, path, tmp_path, monkeypatch, capsys):
    wrong = make(path, tmp_path)
    monkeypatch.setattr(sys, "argv", ["serl", "plot", "controller", str(wrong)])
    monkeypatch.setattr("serl_bringup.task.load_gains", lambda name: load_gains(str(GAINS)))
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(wrong) in error
    assert re.search(says, error)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["controller", "a.mcap", "b.mcap"], "expected one recording, got 2"),
        (["a_run", "--axis", "x"], "--axis: expected `serl plot controller`"),
    ],
)
def test_wrong_arguments_get_one_line(arguments, says, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["serl", "plot", *arguments])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1

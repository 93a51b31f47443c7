"""A person's device: what it commands, when it takes over, and what happens when it is gone."""

import types

import numpy as np
import pytest
from tool_env import ToolEnv

from serl_actor.faults import Fault
from serl_actor.intervention import HELD, Intervention, InterventionConfig
from serl_actor.spacemouse import SpaceMouse
from serl_actor.teleoperation import Command, Teleoperation
from serl_learner.config import ConfigError


class Device:
    """Says what it is told to say."""

    def __init__(self, *commands):
        self.commands = list(commands)

    def read(self):
        command = self.commands.pop(0)
        if isinstance(command, Exception):
            raise command
        return command

    def close(self):
        pass


def command(*twist, gripper=0.0) -> Command:
    return Command(np.array(twist, np.float64), gripper)


def acts(said, config=None, size=6):
    config = config or InterventionConfig("keyboard")
    return Teleoperation(Device(said), config, size)({})


def test_at_rest_and_within_the_dead_zone_the_policy_acts():
    assert acts(command(0, 0, 0, 0, 0, 0)) is None
    assert acts(command(0.1, -0.1, 0.05, 0, 0, 0.1)) is None
    assert acts(command(0, 0, 0, 0, 0, 0.11)) is not None


def test_beyond_the_dead_zone_an_axis_grows_from_0_to_its_scale():
    config = InterventionConfig("gamepad", dead_zone=0.2, scale=(0.5, 2.0))
    # (0.6 - 0.2) / 0.8 = 0.5, of which half; full: the scale; (0.4 - 0.2) / 0.8 = 0.25, doubled
    expected = [0.25, -0.5, 0.0, 0.5, 0.0, -2.0]
    np.testing.assert_allclose(acts(command(0.6, -1.0, 0.2, 0.4, 0, -1.0), config), expected)


def test_a_person_who_looks_along_the_base_s_y_axis_moves_along_it():
    config = InterventionConfig("spacemouse", yaw=np.pi / 2, dead_zone=0.0)
    ahead = acts(command(1.0, 0, 0, 0, 0, 0.5), config)
    np.testing.assert_allclose(ahead, [0, 1, 0, 0, 0, 0.5], atol=1e-12)
    left = acts(command(0, 1.0, 0, 1.0, 0, 0), config)
    np.testing.assert_allclose(left, [-1, 0, 0, 0, 1, 0], atol=1e-12)


def test_the_gripper_alone_takes_over_where_there_is_one():
    closes = command(0, 0, 0, 0, 0, 0, gripper=-1.0)
    np.testing.assert_array_equal(acts(closes, size=7), [0, 0, 0, 0, 0, 0, -1])
    np.testing.assert_array_equal(acts(closes), np.zeros(6))  # a task without: the arm rests


def test_only_arms_are_steered_by_hand():
    with pytest.raises(ConfigError, match="expected 6 or 7 actions, to be steered by hand, got 2"):
        Teleoperation(Device(), InterventionConfig("keyboard"), 2)


def test_a_device_that_is_gone_moves_nothing():
    tool, rest = ToolEnv(), command(0, 0, 0, 0, 0, 0)
    moves = command(1, 0, 0, 0, 0, 0)
    device = Device(rest, moves, Fault("unplugged"), Fault("unplugged"), rest, rest)
    teleoperation = Teleoperation(device, InterventionConfig("keyboard"), 6)
    environment = Intervention(tool, teleoperation)
    environment.reset()
    *_, info = environment.step(np.zeros(6))
    np.testing.assert_array_equal(info["intervene_action"], [1, 0, 0, 0, 0, 0])
    with pytest.raises(Fault, match="unplugged"):
        environment.step(np.ones(6))
    assert len(tool.actions) == 1  # what the policy wanted was not executed
    with pytest.raises(Fault, match="unplugged"):
        environment.reset()
    environment.reset()
    *_, info = environment.step(np.zeros(6))
    assert "intervene_action" not in info


@pytest.mark.parametrize("device", HELD)
def test_a_person_s_devices_are_known(device):
    assert InterventionConfig(device).is_held
    assert not InterventionConfig("scripted").is_held


MISTAKES = {
    "dead_zone": (1.0, "dead_zone: expected 0 to below 1, got 1.0"),
    "scale": ((1.0, 0.0), "scale: expected two numbers above 0"),
    "full_twist": ((0.2,), "full_twist: expected m/s and rad/s above 0"),
    "axes": ((0, 1, 2), "axes, buttons: expected six and two numbers from 0"),
    "yaw": (90.0, "yaw: expected radians, got 90.0"),
}


@pytest.mark.parametrize("key", MISTAKES)
def test_mistakes_are_told_in_one_line(key):
    value, message = MISTAKES[key]
    with pytest.raises(ConfigError, match=f"^{message}"):
        InterventionConfig("gamepad", **{key: value})


class Usb:
    """What a SpaceMouse Wireless sends, report by report; then nothing; or it is pulled out."""

    def __init__(self):
        self.reports, self.is_there = [], True

    def read(self, size):
        if not self.is_there:
            raise OSError("Failed to read from HID device: -1")
        return bytearray(self.reports.pop(0)) if self.reports else bytearray()

    def close(self):
        pass


def report(kind, *numbers):
    return bytes([kind]) + b"".join(n.to_bytes(2, "little", signed=True) for n in numbers)


@pytest.fixture
def mouse(monkeypatch):
    """A SpaceMouse of pyspacemouse, whose USB cable ends here."""
    pyspacemouse = pytest.importorskip("pyspacemouse")
    convention = pyspacemouse.AxisConvention.ROS
    spec = pyspacemouse.get_device_specs()["SpaceNavigator"]
    usb = Usb()

    def plugged(axis_convention):
        if not usb.is_there:
            raise RuntimeError("No connected or supported devices found.")
        assert axis_convention == convention
        return pyspacemouse.SpaceMouseDevice(
            pyspacemouse.apply_axis_convention(spec, convention), usb
        )

    monkeypatch.setattr(pyspacemouse, "open", plugged)
    return types.SimpleNamespace(usb=usb, source=SpaceMouse())


def test_a_spacemouse_pushed_away_lifted_and_turned(mouse):
    assert not mouse.source.read().twist.any()
    # Raw: x to the right, y towards the person, z down; 350 is full deflection.
    mouse.usb.reports = [report(1, 0, -350, 0), report(2, 0, 0, 0)]
    np.testing.assert_allclose(mouse.source.read().twist, [1, 0, 0, 0, 0, 0])
    mouse.usb.reports = [report(1, -175, 0, -350), report(2, 0, 0, -350)]
    np.testing.assert_allclose(mouse.source.read().twist, [0, 0.5, 1, 0, 0, 1])
    mouse.usb.reports = [report(1, 0, -400, 0), report(2, 0, 0, 0)]
    np.testing.assert_allclose(mouse.source.read().twist, [1, 0, 0, 0, 0, 0])  # and no more


def test_the_newest_report_counts_and_the_last_state_stays(mouse):
    mouse.usb.reports = [report(1, 0, -350 + i, 0) for i in range(0, 350, 10)]
    np.testing.assert_allclose(mouse.source.read().twist[0], 10 / 350)
    np.testing.assert_allclose(mouse.source.read().twist[0], 10 / 350)


def test_its_buttons_close_and_open(mouse):
    for pressed, gripper in ((1, -1.0), (2, 1.0), (0, 0.0)):
        mouse.usb.reports = [bytes([3, pressed, 0])]
        assert mouse.source.read().gripper == gripper


def test_pulled_out_it_is_said_and_plugged_in_again_it_works_on(mouse):
    mouse.usb.is_there = False
    with pytest.raises(Fault, match=r"^SpaceMouse: expected it plugged in, got: Failed to read"):
        mouse.source.read()
    with pytest.raises(Fault, match=r"^SpaceMouse: expected one plugged in, got: No connected"):
        mouse.source.read()
    mouse.usb.is_there = True
    mouse.usb.reports = [report(1, 0, -350, 0)]
    np.testing.assert_allclose(mouse.source.read().twist, [1, 0, 0, 0, 0, 0])


def test_without_one_a_run_does_not_begin(mouse):
    mouse.usb.is_there = False
    with pytest.raises(ConfigError, match="SpaceMouse: expected one plugged in") as error:
        SpaceMouse()
    assert not isinstance(error.value, Fault)

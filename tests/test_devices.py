"""A gamepad, the keyboard and a Twist topic move the arm over real middleware."""

import os
import pty

import numpy as np
import pytest
from geometry_msgs.msg import Twist, Vector3
from rclpy.qos import qos_profile_sensor_data
from running import wait_until
from sensor_msgs.msg import Joy
from std_msgs.msg import Float64

from serl_actor.devices import open_source
from serl_actor.faults import Fault
from serl_actor.intervention import InterventionConfig
from serl_bringup import keys
from serl_bringup.person_keys_node import person_keys

pytestmark = pytest.mark.ros


def read_until(source, wanted, send=lambda: None):
    """The first command that is as wanted; the sender sends until then."""
    seen = []

    def came() -> bool:
        send()
        try:
            seen.append(source.read())
        except Fault as fault:
            seen.append(fault)
            return False
        return wanted(seen[-1])

    wait_until(came, lambda: f"seen last: {seen[-1:]}")
    return seen[-1]


def fails_with(source, text, send=lambda: None) -> None:
    def fails() -> bool:
        send()
        try:
            source.read()
        except Fault as fault:
            return text in str(fault)
        return False

    wait_until(fails, lambda: text)


def test_a_gamepad_s_axes_and_buttons(node):
    source = open_source(InterventionConfig("gamepad"), node)
    with pytest.raises(Fault, match=r"/joy: expected a message every 0.5 s, got none"):
        source.read()
    publisher = node.create_publisher(Joy, "/joy", qos_profile_sensor_data)
    axes, buttons = [0.1, 1.0, 1.0, 0.3, -0.4, 1.0, 0.0, -1.0], [0] * 11
    buttons[5] = 1
    read = read_until(
        source, lambda c: c.gripper, lambda: publisher.publish(Joy(axes=axes, buttons=buttons))
    )
    np.testing.assert_allclose(read.twist, [1.0, 0.1, -0.4, 0.0, -1.0, 0.3], atol=1e-6)
    assert read.gripper == 1.0

    fails_with(source, "got none")  # it has fallen silent
    broken = Joy(axes=[float("nan")] * 8, buttons=[0] * 11)
    fails_with(source, "expected finite axes", lambda: publisher.publish(broken))
    other = Joy(axes=[0.0] * 4, buttons=[0] * 11)
    wanted = "expected axes up to number 7, buttons up to 5, got 4 and 11"
    fails_with(source, wanted, lambda: publisher.publish(other))


def test_a_twist_in_metres_and_radians_per_second(node):
    source = open_source(InterventionConfig("twist", full_twist=(0.5, 2.0)), node)
    with pytest.raises(Fault, match="expected a publisher of /teleoperation/twist, got none"):
        source.read()
    topic = "/teleoperation/twist"
    moves = node.create_publisher(Twist, topic, qos_profile_sensor_data)
    grips = node.create_publisher(Float64, f"{topic}/gripper", qos_profile_sensor_data)
    twist = Twist(linear=Vector3(x=0.25, z=-5.0), angular=Vector3(y=1.0))
    read = read_until(source, lambda c: c.twist.any(), lambda: moves.publish(twist))
    np.testing.assert_allclose(read.twist, [0.5, 0, -1.0, 0, 0.5, 0])  # and no more than 1
    read_until(source, lambda c: not c.twist.any())  # it sends no more: the person has let go
    assert read_until(source, lambda c: c.gripper, lambda: grips.publish(Float64(data=-1.0)))
    assert source.read().gripper in (-1.0, 0.0)  # of each message once
    read_until(source, lambda c: c.gripper == 0.0)


def test_the_keyboard(node, statuses, monkeypatch):
    source = open_source(InterventionConfig("keyboard"), node)
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal):
        monkeypatch.setattr(keys, "TERMINAL", os.ttyname(terminal))
        with person_keys([], steers=True):
            assert not read_until(source, lambda c: True).twist.any()  # it is there, and at rest
            for pressed, wanted in ((b"w", [1, 0, 0, 0, 0, 0]), (b"DL", [0, -1, 0, 0, 0, -1])):
                read = read_until(
                    source,
                    lambda c, wanted=wanted: np.array_equal(c.twist, wanted),
                    lambda pressed=pressed: os.write(keyboard, pressed),
                )
                assert read.gripper == 0.0
            read_until(source, lambda c: c.gripper == -1.0, lambda: os.write(keyboard, b"c"))
            read_until(source, lambda c: not c.twist.any() and c.gripper == 0.0)  # let go
    os.close(keyboard)

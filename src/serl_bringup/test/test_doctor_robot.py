"""What a robot needs: the kernel's files and other programs' words, as they are."""

import pytest

from serl_bringup.doctor import devices, franka, link, machine, network, realtime, robot
from serl_learner.config import ConfigError
from serl_msgs.msg import ControllerState

CMDLINE = "BOOT_IMAGE=/vmlinuz-6.8.0-rt8 root=UUID=1b2c ro quiet {}\n"
CHRONY = """Reference ID    : C0A80001 (192.168.0.1)
Stratum         : 3
System time     : {} seconds slow of NTP time
Last offset     : -0.000012345 seconds
RMS offset      : 0.000034567 seconds
Leap status     : {}
"""
SYSTEMD = "Timezone=Etc/UTC\nLocalRTC=no\nCanNTP=yes\nNTP=yes\nNTPSynchronized={}\n"
ROUTE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
enp3s0\t0010AC00\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
wlp2s0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
"""


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("arguments", "status", "found"),
    [
        ("", "warn", "none"),
        ("isolcpus=2,3", "warn", "isolcpus 2,3"),
        ("isolcpus=2,3 nohz_full=2,3", "ok", "isolcpus 2,3, nohz_full 2,3"),
    ],
)
def test_isolated_cores_are_read(tmp_path, arguments, status, found):
    check = realtime.isolation(written(tmp_path / "cmdline", CMDLINE.format(arguments)))
    assert (check.status, check.found) == (status, found)


@pytest.mark.parametrize(
    ("governors", "status"), [([], "ok"), (["performance"] * 2, "ok"), (["powersave"] * 2, "warn")]
)
def test_every_core_has_a_governor(tmp_path, governors, status):
    for core, name in enumerate(governors):
        written(tmp_path / f"cpu{core}/cpufreq/scaling_governor", f"{name}\n")
    check = realtime.governor(tmp_path)
    assert check.status == status
    assert status == "ok" or check.advice == "sudo cpupower frequency-set -g performance"


@pytest.mark.parametrize(
    ("off_s", "leap", "status"),
    [
        ("0.000012345", "Normal", "ok"),
        ("0.120000000", "Normal", "warn"),
        ("0.0", "Not synchronised", "warn"),
    ],
)
def test_what_chrony_says(off_s, leap, status):
    check = machine._of_chrony(CHRONY.format(off_s, leap))
    assert check.status == status
    if off_s == "0.000012345":
        assert check.found == "chrony: 0.012 ms slow"


@pytest.mark.parametrize(("word", "status"), [("yes", "ok"), ("no", "warn")])
def test_what_timedatectl_says(word, status):
    assert machine._of_systemd(SYSTEMD.format(word)).status == status


def test_small_buffers_are_told_with_the_command(tmp_path):
    written(tmp_path / "core/rmem_max", "212992\n")
    written(tmp_path / "core/wmem_max", "8388608\n")
    check = network.udp_buffers(tmp_path)
    assert (check.status, check.found) == ("warn", "rmem_max 0.2 MiB, wmem_max 8.0 MiB")
    assert "net.core.rmem_max=4194304" in check.advice
    written(tmp_path / "core/rmem_max", "4194304\n")
    assert network.udp_buffers(tmp_path).status == "ok"


def test_fragments(tmp_path):
    written(tmp_path / "ipv4/ipfrag_time", "30\n")
    written(tmp_path / "ipv4/ipfrag_high_thresh", "4194304\n")
    check = network.fragments(tmp_path)
    assert (check.status, check.found) == ("warn", "kept for 30 s, up to 4 MiB")
    written(tmp_path / "ipv4/ipfrag_time", "3\n")
    written(tmp_path / "ipv4/ipfrag_high_thresh", "134217728\n")
    assert network.fragments(tmp_path).status == "ok"


@pytest.mark.parametrize(
    ("flags", "mtu", "firewall", "status", "words"),
    [
        ("0x1003", 1500, "no", "ok", ""),
        ("0x3", 1500, "no", "warn", "sudo ip link set wlp2s0 multicast on"),
        ("0x1003", 1400, "no", "warn", "VPN"),
        ("0x1003", 1500, "yes", "warn", "sudo ufw allow in on wlp2s0"),
    ],
)
def test_the_interface_of_the_default_route(tmp_path, flags, mtu, firewall, status, words):
    routes = written(tmp_path / "route", ROUTE)
    written(tmp_path / "net/wlp2s0/flags", f"{flags}\n")
    written(tmp_path / "net/wlp2s0/mtu", f"{mtu}\n")
    ufw = written(tmp_path / "ufw.conf", f"ENABLED={firewall}\nLOGLEVEL=low\n")
    check = network.interface(routes, tmp_path / "net", ufw)
    assert check.status == status and words in check.advice
    assert check.found.startswith(f"wlp2s0, MTU {mtu}")


def test_rights_are_those_of_groups_that_are_there():
    there = {"dialout", "video", "audio"}
    missing = devices.rights("ann", {"ann", "video"}, there)
    assert (missing.status, missing.found) == ("warn", "ann is not in dialout")
    assert missing.advice.startswith("sudo usermod -aG dialout $USER")
    assert devices.rights("ann", {"dialout", "video"}, there).status == "ok"
    assert devices.rights("root", set(), there).status == "ok"


def test_a_spacemouse_is_known_by_its_number(tmp_path):
    hid, dev = tmp_path / "hid", tmp_path / "dev"
    keyboard = "HID_ID=0003:0000046D:0000C31C\nHID_NAME=Logitech USB Keyboard\n"
    written(hid / "hidraw0/device/uevent", keyboard)
    assert devices.spacemouse(hid, dev).found == "none"
    mouse = "HID_ID=0003:0000256F:0000C635\nHID_NAME=3Dconnexion SpaceMouse Compact\n"
    written(hid / "hidraw1/device/uevent", mouse)
    assert devices.spacemouse(hid, dev).status == "warn"  # there is no device that opens
    written(dev / "hidraw1", "")
    assert devices.spacemouse(hid, dev).found == "hidraw1"


@pytest.mark.parametrize(
    ("library", "robot", "system"),
    [
        ("0.21.2", "Research 3", "5.9.0"),
        ("0.18.0", "Research 3", "5.9.0"),
        ("0.17.0", "Research 3", "5.7.2"),
        ("0.14.1", "Research 3", "5.7.0"),
        ("0.13.3", "Research 3", "5.5.0"),
        ("0.13.2", "Research 3", "5.2.0"),
        ("0.9.2", "Panda", "4.2.1"),
        ("0.8.0", "Panda", "4.0.0"),
        ("0.7.1", "Panda", "3.0.0"),
    ],
)
def test_the_system_that_a_libfranka_needs(library, robot, system):
    assert franka.needed(franka.parse(library)) == (robot, system)


@pytest.mark.parametrize(
    ("hardware", "library", "status"),
    [
        (None, None, "warn"),
        ("3.4.1", None, "warn"),
        ("3.4.1", "0.20.4", "ok"),
        ("3.4.1", "0.9.2", "fail"),
        ("2.0.4", "0.20.4", "fail"),
    ],
)
def test_franka_ros2_and_libfranka_fit(hardware, library, status):
    versions = [franka.parse(version) if version else None for version in (hardware, library)]
    assert franka.franka_ros2(*versions).status == status


def test_libfranka_is_found_by_its_file(tmp_path):
    assert franka.libfranka(tmp_path) is None
    written(tmp_path / "usr/lib/x86_64-linux-gnu/libfranka.so.0.9.2", "")
    written(tmp_path / "opt/ros/jazzy/lib/libfranka.so.0.20.4", "")
    assert franka.libfranka(tmp_path) == (0, 20, 4)


def test_a_link_is_judged_by_its_late_packets():
    quick = [0.2] * 1999
    assert link.judge("link", [*quick, 0.9]).status == "ok"
    assert "1 of 2000 lost" in link.judge("link", [*quick, None]).found
    assert link.judge("link", [*quick, None]).status == "warn"
    assert link.judge("link", [0.2] * 990 + [1.5] * 10).status == "warn"
    assert link.judge("link", [None] * 10).status == "fail"


def test_a_link_is_measured(monkeypatch):
    monkeypatch.setattr(link, "PACKETS", 20)
    check = link.robot_link("127.0.0.1", link.round_trips_ms)
    assert check.advice == link.ALLOW or "0 of 20 lost" in check.found


def test_no_right_and_no_way_are_told():
    def refused(_):
        raise PermissionError

    def unreachable(_):
        raise OSError(101, "Network is unreachable")

    assert link.robot_link("10.0.0.2", refused).advice == link.ALLOW
    check = link.robot_link("10.0.0.2", unreachable)
    assert (check.status, check.found) == ("fail", "Network is unreachable")


STATE = {"messages": 300, "rate_hz": 100.0, "jitter_ms": 1.0, "age_ms": 1.5, "reason": 0}


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, "ok", "follows its target"),
        ({"reason": None, "messages": 0}, "fail", "in ROS domain 7"),
        ({"messages": 0}, "fail", "fell silent"),
        ({"reason": ControllerState.HARDWARE_ERROR}, "fail", "fault, no torque"),
        ({"rate_hz": 40.0}, "warn", "40 Hz"),
        ({"jitter_ms": 30.0}, "warn", "jitter 30.0 ms"),
        ({"age_ms": -800.0}, "warn", "stamps in the future"),
    ],
)
def test_controller(change, status, words):
    check = robot.controller({"domain": 7, "controller": STATE | change})
    assert check.status == status and words in check.found
    assert status == "ok" or check.advice


PICTURES = {"messages": 90, "rate_hz": 30.0, "age_ms": 12.0, "width": 640, "height": 480}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"encoding": "rgb8"}, "ok"),
        ({"encoding": "16UC1"}, "fail"),
        ({"encoding": "rgb8", "rate_hz": 6.0}, "warn"),
        ({"encoding": "rgb8", "age_ms": 400.0}, "fail"),
        ({"encoding": "rgb8", "age_ms": -400.0}, "warn"),
        ({"encoding": "rgb8", "messages": 0}, "fail"),
    ],
)
def test_camera(change, status):
    check = robot.camera("wrist_1", "/wrist_1/image_raw", PICTURES | change)
    assert check.status == status, check
    assert check.name == "camera wrist_1" and (status == "ok" or check.advice)


def test_a_target_that_is_taken_fails_by_the_name_of_who_has_it():
    check = robot.target(["/agent/robot_link"])
    assert check.status == "fail" and "/agent/robot_link" in check.found
    assert robot.target([]).status == "ok"


def test_a_robot_that_is_not_known_is_a_mistake():
    from types import SimpleNamespace

    from serl_bringup.commands.doctor import _doctor

    with pytest.raises(ConfigError, match=r"^--robot: expected one of sim_node, .*, got 'ur9'$"):
        _doctor(SimpleNamespace(robot="ur9", task=None, robot_ip=None))
    with pytest.raises(ConfigError, match="--robot as well"):
        _doctor(SimpleNamespace(robot=None, task="pcb_insertion", robot_ip=None))

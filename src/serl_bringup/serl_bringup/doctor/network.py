"""Whether messages arrive: on this machine, and of images from others."""

import json
import os
import subprocess
import sys
from pathlib import Path

from serl_bringup.doctor.check import Check, ProbeError, probe, read

SLOW_ROUND_TRIP_MS = 10.0  # a tenth of a step at 10 Hz
SETTINGS = Path("/proc/sys/net")
SMALL_BUFFER = 4 << 20  # bytes: two pictures of 640 x 480 from each of two cameras
FRAGMENTS_S, FRAGMENTS_BYTES = 3, 128 << 20  # as ROS 2 advises for large messages
MULTICAST, UP = 0x1000, 0x1  # linux/if.h
ETHERNET_MTU = 1500


def middleware() -> Check:
    """A message to another process and back, in the domain that this shell would use."""
    command = [sys.executable, "-m", "serl_bringup.echo_node"]
    namespace = f"/doctor_{os.getpid()}"
    answering = subprocess.Popen(
        [*command, "answer", namespace], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        output = probe([*command, "ask", namespace])
    except ProbeError as error:
        return Check(
            "middleware", "fail", str(error), "look at firewall, VPN and RMW_IMPLEMENTATION"
        )
    finally:
        answering.kill()
        answering.wait()
    answer = json.loads(output)
    found = f"{answer['middleware']}, round trip {answer['round_trip_ms']:.2f} ms"
    if answer["round_trip_ms"] > SLOW_ROUND_TRIP_MS:
        return Check("middleware", "warn", found, "stop what else uses this machine")
    return Check("middleware", "ok", found)


def domain() -> Check:
    """`serl train` takes a free domain for its own nodes; this one is for `ros2` in this shell."""
    number = os.environ.get("ROS_DOMAIN_ID") or "0"
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE") or "SUBNET"
    found = f"ROS_DOMAIN_ID {number}, discovery {reach}"
    if number == "0" and reach == "SUBNET":
        advice = "shared with every robot on this network: export ROS_DOMAIN_ID=1..100"
        return Check("domain", "warn", found, advice)
    return Check("domain", "ok", found)


def udp_buffers(settings: Path = SETTINGS) -> Check:
    """A picture is many packets: with one that finds a full buffer, all of it is lost."""
    names = ("core/rmem_max", "core/wmem_max")
    sizes = {name: int(read(settings / name) or 0) for name in names}
    found = ", ".join(f"{name[5:]} {size / 2**20:.1f} MiB" for name, size in sizes.items())
    if min(sizes.values()) >= SMALL_BUFFER:
        return Check("UDP buffers", "ok", found)
    wanted = " ".join(f"net.{n.replace('/', '.')}={SMALL_BUFFER}" for n in names)
    return Check("UDP buffers", "warn", found, f"sudo sysctl {wanted}")


def fragments(settings: Path = SETTINGS) -> Check:
    """What is left of a picture that lost a packet blocks others until its time is over."""
    time_s = int(read(settings / "ipv4/ipfrag_time") or 0)
    size = int(read(settings / "ipv4/ipfrag_high_thresh") or 0)
    found = f"kept for {time_s} s, up to {size / 2**20:.0f} MiB"
    if time_s <= FRAGMENTS_S and size >= FRAGMENTS_BYTES:
        return Check("IP fragments", "ok", found)
    wanted = f"net.ipv4.ipfrag_time={FRAGMENTS_S} net.ipv4.ipfrag_high_thresh={FRAGMENTS_BYTES}"
    return Check("IP fragments", "warn", found, f"for cameras on a network: sudo sysctl {wanted}")


def interface(
    routes: Path = Path("/proc/net/route"),
    interfaces: Path = Path("/sys/class/net"),
    firewall: Path = Path("/etc/ufw/ufw.conf"),
) -> Check:
    """That of the default route. Nodes on other machines are found by multicast over it."""
    name = default_interface(read(routes))
    if not name:
        return Check("network", "ok", "none: nodes of this machine alone")
    flags, mtu = int(read(interfaces / name / "flags") or "0", 16), read(interfaces / name / "mtu")
    found = f"{name}, MTU {mtu}, {'multicast' if flags & MULTICAST else 'no multicast'}"
    if not flags & MULTICAST:
        advice = f"nodes of other machines are not found: sudo ip link set {name} multicast on"
        return Check("network", "warn", found, advice)
    if "ENABLED=yes" in read(firewall):
        advice = f"lets nothing in: sudo ufw allow in on {name} proto udp from any"
        return Check("network", "warn", f"{found}, firewall ufw on", advice)
    if int(mtu or 0) < ETHERNET_MTU:
        return Check("network", "warn", found, "pictures in smaller packets: a VPN or tunnel?")
    return Check("network", "ok", found)


def default_interface(routes: str) -> str:
    """Of the text of /proc/net/route; nothing without a default route."""
    lines = [line.split() for line in routes.splitlines()[1:]]
    return next((line[0] for line in lines if line[1] == line[7] == "00000000"), "")

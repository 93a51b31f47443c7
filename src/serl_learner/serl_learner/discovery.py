"""Which nodes find each other: where nobody chose, those of this machine."""

import os
from pathlib import Path

from rclpy.utilities import get_rmw_implementation_identifier

RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
PROFILES = "FASTDDS_DEFAULT_PROFILES_FILE"
LOOPBACK = Path(__file__).with_name("fastdds_loopback.xml")
NETWORK = Path(__file__).with_name("fastdds_network.xml")


def local_discovery() -> dict[str, str]:
    """Environment variables with which nodes find those of this machine alone.

    With Fast DDS the range LOCALHOST would also bring shared memory, where the others may write for
    ever into the segment of a node that was killed, and never reach the one started in its place.
    A profile does the same without it, where there is no other profile.
    """
    if _is_fast_dds() and os.environ.get(PROFILES, "") in ("", str(LOOPBACK)):
        return {RANGE: "SYSTEM_DEFAULT", PROFILES: str(LOOPBACK)}
    return {RANGE: "LOCALHOST"}


def network_discovery() -> dict[str, str]:
    """Environment variables with which nodes find those of other machines.

    What the shell says stays. With Fast DDS a profile sees to it that images and weights arrive
    where packets are lost, where there is no other profile.
    """
    variables = {RANGE: os.environ.get(RANGE) or "SUBNET"}
    if _is_fast_dds() and not os.environ.get(PROFILES):
        variables[PROFILES] = str(NETWORK)
    return variables


def is_local() -> bool:
    """Whether nobody on another machine can be found."""
    if os.environ.get(RANGE) == "SYSTEM_DEFAULT":
        return os.environ.get(PROFILES) == str(LOOPBACK)
    return os.environ.get(RANGE) in ("LOCALHOST", "OFF")


def _is_fast_dds() -> bool:
    return get_rmw_implementation_identifier().startswith("rmw_fastrtps")

"""Cameras and input devices at this machine, and the rights to use them."""

import grp
import os
import pwd
from pathlib import Path

from serl_bringup.doctor.check import Check, read

GROUPS = ("dialout", "video", "realtime")  # serial grippers, cameras, priorities
AGAIN = "then log in again"
# 3Dconnexion's numbers, and Logitech's for the older ones.
SPACEMICE = ("0000256F", "0000046D:0000C6")


def cameras(devices: Path = Path("/dev")) -> Check:
    found = sorted(devices.glob("video[0-9]*"))
    closed = [path.name for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        advice = f"sudo usermod -aG video $USER, {AGAIN}"
        return Check("cameras here", "warn", f"not readable: {', '.join(closed)}", advice)
    if not found:
        advice = "lsusb; nothing to do where another machine has them, or theirs is no /dev/video"
        return Check("cameras here", "warn", "no /dev/video*", advice)
    return Check("cameras here", "ok", ", ".join(path.name for path in found))


def groups() -> Check:
    user = pwd.getpwuid(os.geteuid()).pw_name
    mine = {grp.getgrgid(number).gr_name for number in os.getgroups()}
    return rights(user, mine, {group.gr_name for group in grp.getgrall()})


def rights(user: str, mine: set[str], there: set[str]) -> Check:
    """Of `user`, who is in the groups `mine` of all that are `there`."""
    missing = [name for name in GROUPS if name in there - mine]
    if user == "root" or not missing:
        return Check("groups", "ok", f"{user}: {', '.join(sorted(mine & set(GROUPS))) or 'all'}")
    advice = f"sudo usermod -aG {','.join(missing)} $USER, {AGAIN}"
    return Check("groups", "warn", f"{user} is not in {', '.join(missing)}", advice)


def spacemouse(hid: Path = Path("/sys/class/hidraw"), devices: Path = Path("/dev")) -> Check:
    """Needed with --device spacemouse alone."""
    for entry in sorted(hid.glob("hidraw*")):
        text = read(entry / "device/uevent").upper()
        if not any(number in text for number in SPACEMICE):
            continue
        if os.access(devices / entry.name, os.R_OK | os.W_OK):
            return Check("SpaceMouse", "ok", entry.name)
        rule = 'KERNEL=="hidraw*", ATTRS{idVendor}=="256f", MODE="0666"'
        advice = f"put {rule} into /etc/udev/rules.d/99-spacemouse.rules, plug it in again"
        return Check("SpaceMouse", "warn", f"{entry.name} is not readable", advice)
    return Check("SpaceMouse", "ok", "none")

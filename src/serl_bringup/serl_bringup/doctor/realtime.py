"""What a control loop at 1 kHz needs of the computer that it runs on."""

import platform
import re
import resource
from pathlib import Path

from serl_bringup.doctor.check import Check, read

CPUS = Path("/sys/devices/system/cpu")
CMDLINE = Path("/proc/cmdline")


def kernel() -> Check:
    flag = Path("/sys/kernel/realtime")
    if flag.exists() and flag.read_text().strip() == "1":
        return Check("real-time kernel", "ok", platform.release())
    advice = "on the computer of the robot: a PREEMPT_RT kernel; libfranka refuses others"
    return Check("real-time kernel", "warn", f"{platform.release()} without PREEMPT_RT", advice)


def limits() -> Check:
    priority = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    memory = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    locked = "unlimited" if memory == resource.RLIM_INFINITY else f"{memory // 1024} kB"
    found = f"priority {priority}, locked memory {locked}"
    if (priority == resource.RLIM_INFINITY or priority >= 98) and memory == resource.RLIM_INFINITY:
        return Check("real-time limits", "ok", found)
    rights = "@realtime - rtprio 99, @realtime - memlock unlimited"
    advice = f"on the computer of the robot, in /etc/security/limits.d: {rights}"
    return Check("real-time limits", "warn", found, advice)


def isolation(cmdline: Path = CMDLINE) -> Check:
    """Cores that the kernel keeps free for the loop."""
    found = re.findall(r"\b(isolcpus|nohz_full)=(\S+)", read(cmdline))
    if len({name for name, _ in found}) == 2:
        return Check("CPU isolation", "ok", ", ".join(f"{name} {cores}" for name, cores in found))
    advice = "if the loop is late: isolcpus=3 nohz_full=3 in /etc/default/grub, sudo update-grub"
    told = ", ".join(f"{name} {cores}" for name, cores in found)
    return Check("CPU isolation", "warn", told or "none", advice)


def governor(cpus: Path = CPUS) -> Check:
    """A core that sleeps wakes late."""
    names = {read(path) for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    if not names:
        return Check("CPU governor", "ok", "none: a fixed frequency")
    if names == {"performance"}:
        return Check("CPU governor", "ok", "performance")
    advice = "sudo cpupower frequency-set -g performance"
    return Check("CPU governor", "warn", ", ".join(sorted(names)), advice)

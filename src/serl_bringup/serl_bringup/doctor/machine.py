"""This machine's processor, disk and clock."""

import os
import re
import shutil
import time
from pathlib import Path
from tempfile import NamedTemporaryFile

from serl_bringup.doctor.check import Check, ProbeError, probe

LITTLE_DISK_GB = 10.0  # two wrist cameras: 100 kB a step, 1 GB in twenty minutes of several runs
RUN_DISK_GB = 1.0
CHECKPOINT_BYTES = 64 << 20
SLOW_CHECKPOINT_S = 2.0  # in which nothing is learned
APART_S = 0.02  # clocks: a fifth of a step at 10 Hz


def processor() -> Check:
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    found = f"{cores} cores, load {load:.1f}"
    if cores < 2:
        return Check("processor", "warn", found, "actor and learner want a core each")
    if load > cores:
        return Check("processor", "warn", found, "busy: learning will be slower than it could be")
    return Check("processor", "ok", found)


def disk(folder: Path) -> Check:
    if not os.access(folder, os.W_OK):
        return Check("disk", "fail", f"cannot write in {folder}", "serl train --run-dir ...")
    free_gb = shutil.disk_usage(folder).free / 1e9
    found = f"{free_gb:.0f} GB free in {folder}"
    if free_gb < RUN_DISK_GB:
        return Check("disk", "fail", found, "free some, or serl train --run-dir ...")
    if free_gb < LITTLE_DISK_GB:
        return Check("disk", "warn", found, "little for runs with images")
    return Check("disk", "ok", found)


def disk_speed(folder: Path) -> Check:
    """Writes as a checkpoint does, and waits until it is on the disk."""
    try:
        with NamedTemporaryFile(dir=folder, prefix=".serl_doctor_") as file:
            began_s = time.perf_counter()
            file.write(os.urandom(1 << 20) * (CHECKPOINT_BYTES >> 20))
            file.flush()
            os.fsync(file.fileno())
            whole_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            file.write(b"serl")
            file.flush()
            os.fsync(file.fileno())
            sync_s = time.perf_counter() - began_s
    except OSError as error:
        return Check(
            "disk speed", "warn", f"{folder}: {error.strerror}", "serl train --run-dir ..."
        )
    megabytes = CHECKPOINT_BYTES / 1e6
    found = f"{megabytes / whole_s:.0f} MB/s, fsync {1000 * sync_s:.1f} ms"
    if whole_s < SLOW_CHECKPOINT_S:
        return Check("disk speed", "ok", found)
    advice = f"a checkpoint stalls the learner {whole_s:.1f} s: a local disk by --run-dir"
    return Check("disk speed", "warn", found, advice)


def clock() -> Check:
    """Stamps of other machines are only as good as both clocks."""
    try:
        return _of_chrony(probe(["chronyc", "-n", "tracking"], timeout_s=5.0))
    except ProbeError:
        pass
    try:
        return _of_systemd(probe(["timedatectl", "show"], timeout_s=5.0))
    except ProbeError:
        advice = "with cameras or a robot on another machine: sudo apt install chrony on both"
        return Check("clock", "warn", "nothing that says whether it is set", advice)


def _of_chrony(text: str) -> Check:
    offset = re.search(r"^System time\s*:\s*([\d.]+) seconds (slow|fast)", text, re.MULTILINE)
    leap = re.search(r"^Leap status\s*:\s*(.+)$", text, re.MULTILINE)
    if offset is None or (leap and leap[1].strip() == "Not synchronised"):
        return Check(
            "clock", "warn", "chrony: not synchronised", "chronyc sources; then chronyc makestep"
        )
    off_s = float(offset[1])
    found = f"chrony: {1000 * off_s:.3f} ms {offset[2]}"
    if off_s > APART_S:
        return Check("clock", "warn", found, "sudo chronyc makestep")
    return Check("clock", "ok", found)


def _of_systemd(text: str) -> Check:
    if "NTPSynchronized=yes" in text.splitlines():
        return Check("clock", "ok", "synchronised by NTP")
    return Check("clock", "warn", "not synchronised", "sudo timedatectl set-ntp true")

"""`serl doctor`: looks at this machine before a run does, and says what to do."""

import importlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

PACKAGES = ("torch", "torchvision", "mujoco", "gymnasium", "numpy", "scipy", "safetensors", "mcap")
PROBE_TIMEOUT_S = 60.0
SLOW_ROUND_TRIP_MS = 10.0  # a tenth of a step at 10 Hz
SLOW_FRAME_MS = 50.0
LITTLE_DISK_GB = 10.0  # two wrist cameras: 100 kB a step, 1 GB in twenty minutes of several runs
RUN_DISK_GB = 1.0
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
# Draws a scene twice: the first frame compiles shaders, the second is what a run sees.
RENDER = """
import time, mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='.1'/></worldbody></mujoco>")
renderer, data = mujoco.Renderer(model, 128, 128), mujoco.MjData(model)
for _ in range(2):
    start = time.perf_counter()
    mujoco.mj_forward(model, data)
    renderer.update_scene(data)
    renderer.render()
print(1000 * (time.perf_counter() - start))
"""


@dataclass(frozen=True)
class Check:
    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def run() -> int:
    """Prints a table; returns the exit code: 1 if anything fails that a run in simulation needs."""
    console = Console()
    with console.status("checking this machine ..."):
        found = checks()
    table = Table("check", "", "found", "what to do", title="serl doctor", title_justify="left")
    for check in found:
        style = STYLES[check.status]
        table.add_row(check.name, f"[{style}]{check.status}[/]", check.found, check.advice)
    console.print(table)
    return int(any(check.status == "fail" for check in found))


def checks() -> list[Check]:
    return [
        python(),
        *packages(),
        controller(),
        middleware(),
        domain(),
        rendering(),
        video(),
        gpu(),
        processor(),
        disk(_run_folder()),
        realtime_kernel(),
        realtime_limits(),
    ]


def python() -> Check:
    found = f"{platform.python_version()} ({sys.prefix})"
    if (3, 11) <= sys.version_info < (3, 15):
        return Check("Python", "ok", found)
    return Check("Python", "fail", found, "needs 3.11 to 3.14: make clean setup PYTHON=...")


def packages() -> Iterator[Check]:
    """One row for those that are here, one for each that is not."""
    here = []
    for name in PACKAGES:
        try:
            here.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Check(name, "fail", "not installed", "make setup")
    yield Check("packages", "ok", ", ".join(here))


def controller() -> Check:
    try:
        module = importlib.import_module("franka_impedance_controller")
    except ImportError as error:
        return Check("controller", "fail", _first_line(str(error)), "make setup; source env.sh")
    return Check("controller", "ok", str(Path(module.__file__).parent))


def middleware() -> Check:
    """A message to another process and back, in the domain that this shell would use."""
    command = [sys.executable, "-m", "serl_bringup.echo_node"]
    namespace = f"/doctor_{os.getpid()}"
    answering = subprocess.Popen(
        [*command, "answer", namespace], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        output = _probe([*command, "ask", namespace])
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


def rendering() -> Check:
    backend = os.environ.get("MUJOCO_GL") or "egl"
    try:
        frame_ms = float(_probe([sys.executable, "-c", RENDER], {"MUJOCO_GL": backend}))
    except ProbeError as error:
        advice = "apt-get install libegl1 libopengl0 libgl1-mesa-dri; set MUJOCO_GL=egl"
        return Check("rendering", "fail", f"{backend}: {error}", advice)
    found = f"{backend}, {frame_ms:.1f} ms for 128x128"
    if frame_ms > SLOW_FRAME_MS:
        return Check("rendering", "warn", found, "slow images: is the graphics driver installed?")
    return Check("rendering", "ok", found)


def video() -> Check:
    import imageio_ffmpeg

    try:
        return Check("video", "ok", f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}")
    except RuntimeError as error:
        return Check("video", "warn", _first_line(str(error)), "no videos of policies: make setup")


def gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        memory_gb = torch.cuda.get_device_properties(0).total_memory / 1e9
        return Check("GPU", "ok", f"{torch.cuda.get_device_name()}, {memory_gb:.0f} GB")
    return Check("GPU", "warn", "none that PyTorch can use", "enough for states; images want a GPU")


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


def realtime_kernel() -> Check:
    flag = Path("/sys/kernel/realtime")
    if flag.exists() and flag.read_text().strip() == "1":
        return Check("real-time kernel", "ok", platform.release())
    advice = "on the computer of a robot: a PREEMPT_RT kernel; simulation needs none"
    return Check("real-time kernel", "warn", f"{platform.release()} without PREEMPT_RT", advice)


def realtime_limits() -> Check:
    priority = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    memory = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    locked = "unlimited" if memory == resource.RLIM_INFINITY else f"{memory // 1024} kB"
    found = f"priority {priority}, locked memory {locked}"
    if (priority == resource.RLIM_INFINITY or priority >= 98) and memory == resource.RLIM_INFINITY:
        return Check("real-time limits", "ok", found)
    advice = "on the computer of a robot: rtprio 99 and memlock unlimited in limits.conf"
    return Check("real-time limits", "warn", found, advice)


class ProbeError(RuntimeError):
    """What a probing process said last."""


def _probe(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Its output. In a process of its own: graphics drivers and middleware may crash or hang."""
    try:
        result = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no result in {PROBE_TIMEOUT_S:.0f} s") from None
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise ProbeError(lines[-1])
    return result.stdout


def _run_folder() -> Path:
    runs = Path("runs")
    return runs.resolve() if runs.is_dir() else Path.cwd()


def _first_line(text: str) -> str:
    return (text.splitlines() or [""])[0]

"""What is installed, and whether it draws and computes."""

import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from serl_bringup.doctor.check import Check, ProbeError, first_line, probe, read

PACKAGES = ("torch", "torchvision", "mujoco", "gymnasium", "numpy", "scipy", "safetensors", "mcap")
SLOW_FRAME_MS = 50.0
# The driver that each version of CUDA needs at least, by NVIDIA's release notes.
OLDEST_DRIVER = {12: 525, 13: 580}
DRIVER = Path("/proc/driver/nvidia/version")
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
        return Check("controller", "fail", first_line(str(error)), "make setup; source env.sh")
    return Check("controller", "ok", str(Path(module.__file__).parent))


def rendering() -> Check:
    backend = os.environ.get("MUJOCO_GL") or "egl"
    try:
        frame_ms = float(probe([sys.executable, "-c", RENDER], {"MUJOCO_GL": backend}))
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
        return Check("video", "warn", first_line(str(error)), "no videos of policies: make setup")


def gpu(driver: Path = DRIVER) -> Check:
    import torch

    built_for = f"PyTorch for CUDA {torch.version.cuda}"
    found = re.search(r"Kernel Module\D*(\d+)\.([\d.]+)", read(driver))
    if torch.cuda.is_available():
        memory_gb = torch.cuda.get_device_properties(0).total_memory / 1e9
        name = f"{torch.cuda.get_device_name()}, {memory_gb:.0f} GB"
        return Check("GPU", "ok", f"{name}, driver {found[1] if found else 'unknown'}, {built_for}")
    if found is None:
        return Check(
            "GPU", "warn", "none that PyTorch can use", "enough for states; images want a GPU"
        )
    oldest = OLDEST_DRIVER.get(int((torch.version.cuda or "0").split(".")[0]), 0)
    told = f"driver {found[1]}.{found[2]}, {built_for}"
    if int(found[1]) < oldest:
        return Check("GPU", "warn", told, f"update the driver to {oldest} or newer, and restart")
    return Check("GPU", "warn", told, "the driver is there, PyTorch finds no GPU: nvidia-smi")

"""Manipulation tasks in MuJoCo as Gymnasium environments, driven by the 1 kHz impedance law."""

import ctypes.util
import os
import sys

import gymnasium

# MuJoCo reads MUJOCO_GL when it is first imported. Without a display it can only render through
# EGL; where EGL is not installed the choice is left open, so that tasks without images still run.
_headless = not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
if sys.platform == "linux" and _headless and ctypes.util.find_library("EGL"):
    os.environ.setdefault("MUJOCO_GL", "egl")

gymnasium.register(
    id="serl_sim/PcbInsertion-v0",
    entry_point="serl_sim.pcb_env:PcbInsertionEnv",
    max_episode_steps=100,
)
gymnasium.register(
    id="serl_sim/PegInsertion-v0",
    entry_point="serl_sim.peg_env:PegInsertionEnv",
    max_episode_steps=100,
)
gymnasium.register(
    id="serl_sim/CableRouting-v0",
    entry_point="serl_sim.cable_env:CableRoutingEnv",
    max_episode_steps=100,
)
gymnasium.register(
    id="serl_sim/ObjectRelocation-v0",
    entry_point="serl_sim.relocation_env:ObjectRelocationEnv",
    max_episode_steps=100,
)

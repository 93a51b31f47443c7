"""Peg insertion: a peg of one of several cross sections goes into its hole."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from . import peg_scene
from .insertion_env import InsertionConfig, InsertionEnv

_YAW = np.deg2rad(30)


@dataclass(frozen=True)
class PegInsertionConfig(InsertionConfig):
    """SERL's values for its peg task, with rotations in radians of the rotation vector.

    As for the other tasks rotational stiffness is halved, rotational clips are doubled. The box
    reaches 5 mm below the seat, towards which a tool has to push; SERL calls 1 cm a success.
    """

    action_scale: tuple[float, float] = (0.02, 0.1)
    reset_height: float = 0.1
    random_xy: float = 0.05
    random_rz: float = _YAW
    box_low: tuple[float, ...] = (-0.05, -0.05, -0.005, -0.01, -0.01, -_YAW)
    box_high: tuple[float, ...] = (0.05, 0.05, 0.1, 0.01, 0.01, _YAW)
    success_tolerance: tuple[float, ...] = (0.003, 0.003, 0.002, 0.2)
    stiffness: tuple[float, ...] = (2000.0, 2000.0, 2000.0, 75.0, 75.0, 75.0)
    damping: tuple[float, ...] = (89.0, 89.0, 89.0, 7.0, 7.0, 7.0)
    clip_positive: tuple[float, ...] = (0.003, 0.003, 0.01, 0.04, 0.04, 0.04)
    clip_negative: tuple[float, ...] = (0.003, 0.003, 0.01, 0.04, 0.04, 0.04)


class PegInsertionEnv(InsertionEnv):
    """Insert a peg, 20 mm deep with 0.5 mm clearance; `shape` is its cross section."""

    def __init__(
        self,
        arm: str = "panda",
        observations: str = "state",
        render_mode: str | None = None,
        agent: str = "",
        shape: str = "hexagon",
        **arguments,
    ):
        if shape not in peg_scene.SHAPES:
            known = ", ".join(peg_scene.SHAPES)
            raise ValueError(f"shape: expected one of {known}, got {shape!r}")
        peg = peg_scene.SHAPES[shape]
        super().__init__(
            arm,
            held=peg_scene.held_peg(peg),
            add_scene=partial(peg_scene.add_peg_scene, shape=peg),
            seat=peg_scene.SEAT,
            depth=peg_scene.DEPTH,
            config=PegInsertionConfig.from_arguments(arguments),
            observations=observations,
            render_mode=render_mode,
            agent=agent,
        )

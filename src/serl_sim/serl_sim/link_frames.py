"""Where a robot's links are by its joints: what robot_state_publisher makes of a URDF."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation


class Frames(NamedTuple):
    """Each child's frame in its parent's."""

    parents: tuple[str, ...]
    children: tuple[str, ...]
    positions: np.ndarray  # (n, 3) m
    quaternions: np.ndarray  # (n, 4) x-y-z-w


class LinkFrames:
    """Of a URDF's joints: those that are `fixed`, once, and those that are `moved`."""

    def __init__(self, urdf: str):
        robot = ET.fromstring(urdf)
        joints = robot.findall("joint")
        fixed = [joint for joint in joints if joint.get("type") == "fixed"]
        self._moving = [joint for joint in joints if joint not in fixed]
        children = {_link(joint, "child") for joint in joints}
        links = [link.get("name") for link in robot.iterfind("link")]
        (self.root,) = (name for name in links if name not in children)
        self.links = frozenset(links)
        self.fixed = _frames(fixed)
        self._start = _frames(self._moving)
        self._names = [joint.get("name") for joint in self._moving]
        self._axes = np.array([_numbers(joint.find("axis"), "xyz") for joint in self._moving])
        slides = [joint.get("type") == "prismatic" for joint in self._moving]
        self._slides = np.array(slides)[:, None]

    def moved(self, positions: Mapping[str, float]) -> Frames:
        """`positions`: of all joints that move, by name: rad, m."""
        along = self._axes * np.array([positions[name] for name in self._names])[:, None]
        start = Rotation.from_quat(self._start.quaternions)
        turned = start * Rotation.from_rotvec(np.where(self._slides, 0.0, along))
        slid = start.apply(np.where(self._slides, along, 0.0))
        return self._start._replace(
            positions=self._start.positions + slid, quaternions=turned.as_quat()
        )


def _frames(joints: list[ET.Element]) -> Frames:
    """With every joint at 0."""
    origins = [joint.find("origin") for joint in joints]
    turns = Rotation.from_euler("xyz", np.array([_numbers(o, "rpy") for o in origins]))
    return Frames(
        tuple(_link(joint, "parent") for joint in joints),
        tuple(_link(joint, "child") for joint in joints),
        np.array([_numbers(o, "xyz") for o in origins]),
        turns.as_quat(),
    )


def _link(joint: ET.Element, end: str) -> str:
    return joint.find(end).get("link")


def _numbers(element: ET.Element | None, name: str) -> list[float]:  # (3,)
    text = "" if element is None else element.get(name, "")
    return [float(number) for number in text.split()] or [0.0, 0.0, 0.0]

"""The arms: one URDF each, with a gripper on it, for MuJoCo and for the law.

What distinguishes arms is data. Each carries the same gripper, Franka's hand.
"""

import os
import sysconfig
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

TOOL_FRAME = "tool"
HAND_TO_TCP = 0.1034  # m
MAX_GRIP_WIDTH = 0.08  # m
FINGER_JOINTS = ("panda_finger_joint1", "panda_finger_joint2")
_GRIPPER = (
    *("panda_hand_joint", "panda_hand", "panda_hand_tcp_joint", "panda_hand_tcp"),
    *(*FINGER_JOINTS, "panda_leftfinger", "panda_rightfinger"),
)


@dataclass(frozen=True)
class Arm:
    urdf_file: str  # in the `robots` folder of example-robot-data
    joint_names: tuple[str, ...]
    flange: str | None  # the link that takes the gripper; None: the URDF has it already
    nominal_q: tuple[float, ...]  # rad: tool down, in front; inverse kinematics starts from here
    # Not in the URDFs. Joint torque control hides most of the motor friction, not all of it.
    armature: float = 0.1  # kg m^2, rotor inertia seen at the joint
    damping: float = 0.5  # Nm s/rad


PANDA = Arm(
    urdf_file="panda_description/urdf/panda.urdf",
    joint_names=tuple(f"panda_joint{i}" for i in range(1, 8)),
    flange=None,
    nominal_q=(0.0, 0.15, 0.0, -2.35, 0.0, 2.5, np.pi / 4),
)
UR5 = Arm(
    urdf_file="ur_description/urdf/ur5_robot.urdf",
    joint_names=(
        "shoulder_pan_joint",
        "shoulder_lift_joint",
        "elbow_joint",
        "wrist_1_joint",
        "wrist_2_joint",
        "wrist_3_joint",
    ),
    flange="tool0",
    nominal_q=(-0.22, -1.39, 2.02, -2.2, -np.pi / 2, -1.0),
)
ARMS = {"panda": PANDA, "ur5": UR5}


@dataclass(frozen=True)
class HeldObject:
    """A box that the gripper holds rigidly, with its long axis along the tool's z axis."""

    mass: float  # kg
    size: tuple[float, float, float]  # m, full size along the hand's x, y, z
    tip: float  # m, from the hand's TCP to the far end, where the tool frame sits
    grip_width: float  # m, distance between the fingers

    @property
    def opening(self) -> float:
        """Of the gripper that holds it: 0 closed, 1 open."""
        return self.grip_width / MAX_GRIP_WIDTH


def robots_directory() -> Path:
    """The `robots` folder of example-robot-data, from ROS or from the pip package."""
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    prefixes.append(Path(sysconfig.get_paths()["purelib"], "cmeel.prefix"))
    for prefix in prefixes:
        directory = prefix / "share/example-robot-data/robots"
        if (directory / PANDA.urdf_file).is_file():
            return directory
    raise FileNotFoundError(
        "panda.urdf not found: install example-robot-data (pip install example-robot-data, "
        "or the ROS package of that name)"
    )


def description(arm: Arm) -> ET.Element:
    """The arm's URDF with all shapes, and the gripper on its flange."""
    robot = ET.parse(robots_directory() / arm.urdf_file).getroot()
    if arm.flange is not None:
        robot.extend(_gripper(arm.flange))
    return robot


def _gripper(flange: str) -> list[ET.Element]:
    """Links and joints of the Panda's hand, on the link `flange` of another arm."""
    parts = [element for element in description(PANDA) if element.get("name") in _GRIPPER]
    mount = next(part for part in parts if part.get("name") == "panda_hand_joint")
    mount.find("parent").set("link", flange)
    return parts


def arm_urdf(arm: Arm, held: HeldObject | None) -> str:
    """The arm without shapes, its fingers fixed around `held`, the frame `tool` at its tip.

    With nothing held the fingers slide, and the tool is the point between their tips.
    """
    robot = _with_tool(arm, held)
    for link in robot.findall("link"):
        for shape in link.findall("visual") + link.findall("collision"):
            link.remove(shape)
    return ET.tostring(robot, encoding="unicode")


def robot_description(arm: Arm, held: HeldObject | None) -> str:
    """The same with its shapes, for people. Meshes are of the package example-robot-data."""
    return ET.tostring(_with_tool(arm, held), encoding="unicode")


def _with_tool(arm: Arm, held: HeldObject | None) -> ET.Element:
    robot = description(arm)
    if held is not None:
        _hold(robot, held)
        return robot
    robot.extend(
        ET.fromstring(
            f"""<robot><link name="{TOOL_FRAME}"/>
            <joint name="tool_joint" type="fixed"><origin xyz="0 0 0"/>
              <parent link="panda_hand_tcp"/><child link="{TOOL_FRAME}"/></joint></robot>"""
        )
    )
    return robot


def _hold(robot: ET.Element, held: HeldObject) -> None:
    """Fixes the fingers, and between them the object with the frame `tool`."""
    for name, side in zip(FINGER_JOINTS, (1.0, -1.0), strict=True):
        joint = robot.find(f"joint[@name='{name}']")
        joint.set("type", "fixed")
        joint.find("origin").set("xyz", f"0 {side * held.grip_width / 2} 0.0584")
        for tag in ("axis", "limit", "mimic", "dynamics"):
            for element in joint.findall(tag):
                joint.remove(element)
    x, y, z = held.size
    ixx, iyy, izz = held.mass / 12 * np.array([y * y + z * z, x * x + z * z, x * x + y * y])
    robot.extend(
        ET.fromstring(
            f"""<robot>
            <link name="held_object"><inertial><origin xyz="0 0 0"/><mass value="{held.mass}"/>
              <inertia ixx="{ixx}" iyy="{iyy}" izz="{izz}" ixy="0" ixz="0" iyz="0"/>
            </inertial><visual><geometry><box size="{x} {y} {z}"/></geometry>
              <material name="held"><color rgba="0.10 0.19 0.42 1"/></material></visual></link>
            <joint name="held_object_joint" type="fixed"><origin xyz="0 0 {held.tip - z / 2}"/>
              <parent link="panda_hand_tcp"/><child link="held_object"/></joint>
            <link name="{TOOL_FRAME}"/>
            <joint name="tool_joint" type="fixed"><origin xyz="0 0 {z / 2}"/>
              <parent link="held_object"/><child link="{TOOL_FRAME}"/></joint>
            </robot>"""
        )
    )


def arm_spec(urdf: str, arm: Arm) -> mujoco.MjSpec:
    """The arm in MuJoCo, with torque motors and gravity compensation inside the torque limits."""
    spec = mujoco.MjSpec.from_string(urdf)
    spec.compiler.discardvisual = False  # on by default for a URDF
    spec.option.timestep = 0.001
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    for name in arm.joint_names:
        joint = spec.joint(name)
        joint.armature = arm.armature
        joint.damping[0] = arm.damping  # the linear term
        joint.actgravcomp = True
        motor = spec.add_actuator(
            name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT
        )
        motor.set_to_motor()
    spec.body(TOOL_FRAME).add_site(name=TOOL_FRAME, size=[0.001] * 3, rgba=[0, 0, 0, 0])
    return spec

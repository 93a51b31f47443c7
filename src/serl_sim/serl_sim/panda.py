"""The Franka Panda: one URDF, with the held object welded on, for MuJoCo and for the law."""

import os
import sysconfig
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

JOINT_NAMES = tuple(f"panda_joint{i}" for i in range(1, 8))
TOOL_FRAME = "tool"
MAX_GRIP_WIDTH = 0.08  # m
HAND_TO_TCP = 0.1034  # m
# Tool down, in front of the base; inverse kinematics starts from here.
NOMINAL_Q = np.array([0.0, 0.15, 0.0, -2.35, 0.0, 2.5, np.pi / 4])

# Not in the URDF. Franka's joint torque control hides most of the motor friction, not all of it.
ARMATURE = 0.1  # kg m^2, rotor inertia seen at the joint
DAMPING = 0.5  # Nm s/rad

_DESCRIPTION = Path("share/example-robot-data/robots/panda_description")


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


def description_directory() -> Path:
    """The `panda_description` folder of example-robot-data, from ROS or from the pip package."""
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    prefixes.append(Path(sysconfig.get_paths()["purelib"], "cmeel.prefix"))
    for prefix in prefixes:
        if (prefix / _DESCRIPTION / "urdf/panda.urdf").is_file():
            return prefix / _DESCRIPTION
    raise FileNotFoundError(
        "panda.urdf not found: install example-robot-data (pip install example-robot-data, "
        "or the ROS package of that name)"
    )


def panda_urdf(held: HeldObject) -> str:
    """The Panda's URDF without shapes, fingers fixed around `held`, the frame `tool` at its tip."""
    robot = ET.parse(description_directory() / "urdf/panda.urdf").getroot()
    for link in robot.findall("link"):
        for shape in link.findall("visual") + link.findall("collision"):
            link.remove(shape)
    for name, side in (("panda_finger_joint1", 1.0), ("panda_finger_joint2", -1.0)):
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
            </inertial></link>
            <joint name="held_object_joint" type="fixed"><origin xyz="0 0 {held.tip - z / 2}"/>
              <parent link="panda_hand_tcp"/><child link="held_object"/></joint>
            <link name="{TOOL_FRAME}"/>
            <joint name="tool_joint" type="fixed"><origin xyz="0 0 {z / 2}"/>
              <parent link="held_object"/><child link="{TOOL_FRAME}"/></joint>
            </robot>"""
        )
    )
    return ET.tostring(robot, encoding="unicode")


def panda_spec(urdf: str) -> mujoco.MjSpec:
    """The arm in MuJoCo, with torque motors and gravity compensation inside the torque limits."""
    spec = mujoco.MjSpec.from_string(urdf)
    spec.compiler.discardvisual = False  # on by default for a URDF
    spec.option.timestep = 0.001
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    for joint in spec.joints:
        joint.armature = ARMATURE
        joint.damping[0] = DAMPING  # the linear term
        joint.actgravcomp = True
        motor = spec.add_actuator(
            name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT
        )
        motor.set_to_motor()
    spec.body(TOOL_FRAME).add_site(name=TOOL_FRAME, size=[0.001] * 3, rgba=[0, 0, 0, 0])
    return spec

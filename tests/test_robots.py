"""What config/robots, config/gains and controllers.yaml say fits controller, URDFs and MuJoCo."""

import sysconfig
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import mujoco
import numpy as np
import pytest
import yaml

from franka_impedance_controller import RobotModel
from serl_actor.parallel_gripper import ParallelGripper
from serl_learner.config import from_dict

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "config"
ROBOTS = sorted(path.stem for path in CONFIG.glob("robots/*.yaml"))
MADE_HERE = ("mock", "mujoco_ros2_control", "ur5")  # around URDFs that are at hand
GAINS = sorted(path.stem for path in CONFIG.glob("gains/*.yaml"))
ARM = "cartesian_impedance_controller"
DEFINITIONS = ROOT / f"src/franka_impedance_controller/src/plugin/{ARM}_parameters.yaml"
XACRO = "{http://www.ros.org/wiki/xacro}"
EXAMPLE_ROBOT_DATA = "cmeel.prefix/share/example-robot-data"
TYPES = {"bool": bool, "double": float, "string": str}


def load(path: Path) -> dict[str, dict]:
    """Name of a node -> its parameters. `/**`: of all nodes."""
    document = yaml.safe_load(path.read_text())
    return {node.removeprefix("/**/"): text["ros__parameters"] for node, text in document.items()}


def robot(name: str) -> dict[str, dict]:
    return load(CONFIG / f"robots/{name}.yaml")


def xacro_files(path: Path) -> Iterator[Path]:
    """The file and all that it includes; at the end of the chain may be a URDF."""
    yield path
    for include in ElementTree.parse(path).iter(f"{XACRO}include"):
        place = Path(sysconfig.get_paths()["purelib"], EXAMPLE_ROBOT_DATA)
        name = include.get("filename").replace("$(find example-robot-data)", str(place))
        if "$(find" not in name:  # a vendor's
            yield from xacro_files(path.parent / name)


def urdf(name: str) -> str:
    files = xacro_files(CONFIG / f"robots/{name}.urdf.xacro")
    return next(path for path in files if path.suffix == ".urdf").read_text()


def flat(tree: dict, prefix: str = "") -> Iterator[tuple[str, dict]]:
    """Parameter definitions, names of nested ones joined by dots."""
    for name, node in tree.items():
        if isinstance(node.get("type"), str):
            yield prefix + name, node
        else:
            yield from flat(node, f"{prefix}{name}.")


def definitions() -> dict[str, dict]:
    return dict(flat(yaml.safe_load(DEFINITIONS.read_text())[ARM]))


def fault(name: str, value) -> str | None:
    """Why the controller would refuse a parameter."""
    if name not in definitions():
        return "unknown"
    definition = definitions()[name]
    kind, _, is_array = definition["type"].partition("_")
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) != bool(is_array) or any(type(v) is not TYPES[kind] for v in values):
        return f"expected a {definition['type']}"
    for rule, arguments in definition.get("validation", {}).items():
        if rule == "fixed_size<>" and len(values) != arguments[0]:
            return f"expected {arguments[0]} values"
        if rule.endswith("six_within"):
            limits = np.repeat(arguments, 3)
            if len(values) != 6 or not all(
                0 <= v <= m for v, m in zip(values, limits, strict=True)
            ):
                return f"expected six values from 0 to {limits}"
        if rule == "bounds<>" and not arguments[0] <= value <= arguments[1]:
            return f"expected {arguments[0]} to {arguments[1]}"
    return None


def faults(parameters: dict) -> dict[str, str]:
    found = {name: fault(name, value) for name, value in parameters.items()}
    return {name: text for name, text in found.items() if text}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("firmness", [1.0] * 6),
        ("stiffness", [1.0] * 5),
        ("stiffness", [1] * 6),
        ("stiffness", [1e5] + [1.0] * 5),
        ("tool_frame", ["tool"]),
        ("nullspace_stiffness", -1.0),
    ],
)
def test_wrong_parameters_are_seen(name, value):
    assert faults({name: value})


@pytest.mark.parametrize("name", GAINS)
def test_gain_set(name):
    parameters = load(CONFIG / f"gains/{name}.yaml")["/**"]
    assert not faults(parameters)
    assert not any(definitions()[name].get("read_only") for name in parameters)


def test_gain_sets_give_the_same_parameters():
    """So that the one that is loaded last decides everything."""
    sets = {name: frozenset(load(CONFIG / f"gains/{name}.yaml")["/**"]) for name in GAINS}
    assert len(set(sets.values())) == 1, sets


@pytest.mark.parametrize("name", ROBOTS)
def test_robot_file(name):
    nodes = robot(name)
    bringup = nodes.pop("/**")["bringup"]
    assert {"joint_state_broadcaster", ARM} <= set(bringup["controllers"])
    controllers = load(CONFIG / "controllers.yaml")
    assert all("type" in controllers[name] for name in bringup["controllers"])
    assert nodes.keys() <= {*bringup["controllers"], *bringup.get("nodes", {})}
    assert not faults(nodes[ARM])
    assert {"joints", "base_frame", "tool_frame", "gravity_compensation"} <= nodes[ARM].keys()
    assert not nodes[ARM].keys() & load(CONFIG / "gains/precision.yaml")["/**"].keys()
    for path in xacro_files(CONFIG / f"robots/{name}.urdf.xacro"):
        assert path.exists()


@pytest.mark.parametrize("name", ROBOTS)
def test_a_gripper_has_its_bridge(name):
    """What moves it comes up too; and the joint opens as far as it is asked to."""
    shared = robot(name)["/**"]
    bringup, section = shared["bringup"], shared.get("gripper")
    has_bridge = {"package": "serl_actor", "executable": "gripper_node"}
    assert bringup.get("nodes", {}).get("gripper") == (has_bridge if section else None)
    if section is None:
        return
    gripper = from_dict(ParallelGripper, section, f"{name}: gripper")
    mover = gripper.action.split("/")[0]
    assert mover in bringup["controllers"] or mover in bringup["nodes"]
    if name in MADE_HERE:
        assert gripper.joint == robot(name)[mover]["joint"]
        joints = ElementTree.fromstring(urdf(name)).iter("joint")
        (limit,) = [j.find("limit") for j in joints if j.get("name") == gripper.joint]
        limits = float(limit.get("lower")), float(limit.get("upper"))
        assert (gripper.closed, gripper.opened) == limits
    else:
        assert gripper.joint in robot(name)[mover]["joint_names"]


@pytest.mark.parametrize("name", MADE_HERE)
def test_the_robot_has_the_joints_and_frames_of_its_file(name):
    parameters = robot(name)[ARM]
    model = RobotModel(urdf(name), parameters["joints"], parameters["tool_frame"])
    assert np.all(model.torque_limits > 0.0)
    assert f'<link name="{parameters["base_frame"]}"' in urdf(name)
    macros = [
        joint.get("name")
        for path in xacro_files(CONFIG / f"robots/{name}.urdf.xacro")
        for joint in ElementTree.parse(path).iter(f"{XACRO}effort_joint")
    ]
    assert macros == parameters["joints"]


def test_the_simulated_panda_is_that_of_the_urdf():
    """Kinematics, masses and inertias, told from pose, Coriolis and gravity torques; and limits."""
    parameters = robot("mujoco_ros2_control")[ARM]
    panda = RobotModel(urdf("mujoco_ros2_control"), parameters["joints"], parameters["tool_frame"])
    model = mujoco.MjModel.from_xml_path(str(CONFIG / "robots/mujoco_ros2_control.xml"))
    data = mujoco.MjData(model)
    np.testing.assert_array_equal(model.jnt_range[:7].T, [panda.lower_limits, panda.upper_limits])
    np.testing.assert_array_equal(model.jnt_actfrcrange[:7, 1], panda.torque_limits)
    rng = np.random.default_rng(5)
    for _ in range(20):
        data.qpos[:7] = q = rng.uniform(panda.lower_limits, panda.upper_limits)
        data.qvel[:7] = dq = rng.normal(size=7)
        mujoco.mj_forward(model, data)
        np.testing.assert_allclose(
            data.qfrc_bias[:7], panda.coriolis(q, dq) + panda.gravity(q), atol=1e-6
        )
        np.testing.assert_allclose(data.site("panda_hand_tcp").xpos, panda.pose(q)[:3], atol=1e-9)

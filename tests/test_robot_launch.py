"""launch/robot.launch.py with ROS 2's launch and ros2_control: robots come up, and go down."""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rclpy
import yaml
from ament_index_python import has_resource
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python
from running import PATIENCE_S, Process

ROOT = Path(__file__).resolve().parents[1]
CONTROLLER = "cartesian_impedance_controller"
NEEDED = {  # kinds of resources in the ament index
    "packages": ("controller_manager", "robot_state_publisher", "ros2launch", "xacro"),
    "controller_interface__pluginlib__plugin": (
        "franka_impedance_controller",
        "joint_state_broadcaster",
        "parallel_gripper_controller",
    ),
}
MISSING = [name for kind, names in NEEDED.items() for name in names if not has_resource(kind, name)]

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]


class Launched(Process):
    """`ros2 launch` of the robot launch file."""

    def __init__(self, output: Path, root: Path, *arguments: str):
        super().__init__(
            ["ros2", "launch", str(root / "launch/robot.launch.py"), *arguments],
            output,
            # Also where the tests run in the background of a script, which ignores it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


@pytest.fixture
def launch(tmp_path) -> Iterator[Callable[..., Launched]]:
    started = []

    def launch(*arguments: str, root: Path = ROOT) -> Launched:
        started.append(Launched(tmp_path / f"{len(started)}.log", root, *arguments))
        return started[-1]

    yield launch
    for launched in started:
        launched.interrupt()


def parameter_file(name: str, node: str) -> dict:
    return yaml.safe_load((ROOT / "config" / name).read_text())[node]["ros__parameters"]


def array_parameters(node: str, names: list[str]) -> dict[str, list]:
    """Of a node that runs."""
    rclpy.init()
    asking = rclpy.create_node("test_robot_launch")
    try:
        client = asking.create_client(GetParameters, f"{node}/get_parameters")
        assert client.wait_for_service(PATIENCE_S)
        future = client.call_async(GetParameters.Request(names=names))
        rclpy.spin_until_future_complete(asking, future, timeout_sec=PATIENCE_S)
        values = [list(parameter_value_to_python(value)) for value in future.result().values]
        return dict(zip(names, values, strict=True))
    finally:
        asking.destroy_node()
        rclpy.shutdown()


SIMULATED = pytest.param(
    "mujoco_ros2_control",
    marks=pytest.mark.skipif(
        not has_resource("packages", "mujoco_ros2_control"), reason="needs mujoco_ros2_control"
    ),
)


@pytest.mark.parametrize("robot", ["mock", "ur5", SIMULATED])
def test_robot_comes_up_with_the_parameters_of_its_files_and_goes_down(launch, robot):
    launched = launch(f"robot:={robot}", "gains:=pcb_insertion", "namespace:=left")
    launched.wait_for_text(f"Configured and activated {CONTROLLER}")
    given = {
        **parameter_file(f"robots/{robot}.yaml", f"/**/{CONTROLLER}"),
        **parameter_file("gains/pcb_insertion.yaml", "/**"),
    }
    names = ["joints", "stiffness", "clip_positive"]
    assert array_parameters(f"/left/{CONTROLLER}", names) == {name: given[name] for name in names}

    launched.interrupt()
    assert f"Deactivating controller '{CONTROLLER}'" in launched.text
    assert "failed to terminate" not in launched.text  # nothing had to be killed


def test_a_controller_that_does_not_come_up_ends_the_launch(launch, tmp_path):
    for folder in ("config", "launch"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    too_stiff = {"/**": {"ros__parameters": {"stiffness": [1e6] * 6}}}
    (tmp_path / "config/gains/pcb_insertion.yaml").write_text(yaml.safe_dump(too_stiff))
    launched = launch("robot:=mock", "gains:=pcb_insertion", root=tmp_path)
    launched.wait()
    assert "stiffness" in launched.text
    assert "shutting down launched system" in launched.text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["robot:=fr2"], "Valid options are: ['fr3', 'franka', 'mock', "),
        (["robot:=mock", "gains:=soft"], "Valid options are: ["),
        ([], "missing required argument 'robot'"),
    ],
)
def test_a_wrong_argument_is_answered_in_one_line(launch, arguments, expected):
    launched = launch(*arguments)
    assert launched.wait() == 1
    assert expected in launched.text
    assert "Traceback" not in launched.text

"""What holds between packages: who imports whom, and what each declares."""

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in ROOT.glob("src/*/package.xml"))
PYTHON_PACKAGES = [package for package in PACKAGES if (package / "setup.py").exists()]
# One way: a package may import those on its right.
MAY_IMPORT = {
    "serl_msgs": set(),
    "franka_impedance_controller": set(),
    "serl_learner": {"serl_msgs"},
    "serl_actor": {"serl_msgs", "serl_learner"},
    "serl_sim": {"franka_impedance_controller", "serl_actor", "serl_learner", "serl_msgs"},
    "serl_reward": {"serl_msgs", "serl_learner"},
    "serl_bringup": {
        "franka_impedance_controller",
        "serl_actor",
        "serl_learner",
        "serl_msgs",
        "serl_reward",
        "serl_sim",
    },
}
MAY_IMPORT_RCLPY = {
    "agent_link.py",
    "body_publisher.py",
    "devices.py",
    "diagnostics.py",
    "discovery.py",
    "newest_publisher.py",
    "qos.py",
    "parameters.py",
    "transition_log.py",
    "reset_client.py",
    "robot_link.py",
    "scene_messages.py",
    "reward_client.py",
    "teleoperation_topics.py",
}  # and every *_node.py
# Where a module comes from: a system package that rosdep installs, or requirements/base.txt.
ROSDEP_KEYS = {
    "PIL": "python3-pil",
    "cv2": "python3-opencv",
    "imageio": "python3-imageio",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "rich": "python3-rich",
    "scipy": "python3-scipy",
    "yaml": "python3-yaml",
}
PIP_NAMES = {
    "gymnasium": "gymnasium",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "mcap": "mcap",
    "mcap_ros2": "mcap-ros2-support",
    "mujoco": "mujoco",
    "pyarrow": "pyarrow",
    "pyspacemouse": "pyspacemouse",
    "rerun": "rerun-sdk",
    "rerun_cli": "rerun-sdk",
    "safetensors": "safetensors",
    "tensorboard": "tensorboard",
    "torch": "torch",
    "torchvision": "torchvision",
}
ROS_MODULES = {"rclpy", "ament_index_python", "launch", "launch_ros"}


def modules(package: Path) -> list[Path]:
    return sorted((package / package.name).rglob("*.py"))


def imports(source: Path) -> Iterator[tuple[int, str]]:
    """(line, top-level module) of every import, also those inside functions."""
    for node in ast.walk(ast.parse(source.read_text(), str(source))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module.split(".")[0]


def imported(package: Path) -> dict[str, str]:
    """Module -> where it is imported, without the standard library and the package itself."""
    return {
        module: f"{source.relative_to(ROOT)}:{line}"
        for source in modules(package)
        for line, module in imports(source)
        if module not in sys.stdlib_module_names and module != package.name
    }


def manifest(package: Path) -> ElementTree.Element:
    return ElementTree.parse(package / "package.xml").getroot()


def declared(package: Path) -> set[str]:
    """What the package needs when it runs."""
    return {node.text for tag in ("depend", "exec_depend") for node in manifest(package).iter(tag)}


def is_ros(module: str) -> bool:
    return (
        module in ROS_MODULES
        or module in MAY_IMPORT
        or module.endswith(("_msgs", "_srvs", "_interfaces"))
    )


def test_every_package_is_in_the_import_graph():
    assert {package.name for package in PACKAGES} == set(MAY_IMPORT)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_imports_only_what_it_may(package):
    wrong = {
        module: where
        for module, where in imported(package).items()
        if module in MAY_IMPORT and module not in MAY_IMPORT[package.name]
    }
    assert not wrong


def test_import_graph_has_no_cycle():
    left = dict(MAY_IMPORT)
    while left:
        leaves = [name for name, needs in left.items() if not needs & left.keys()]
        assert leaves, f"a cycle among {sorted(left)}"
        for name in leaves:
            del left[name]


def test_only_nodes_import_rclpy():
    wrong = [
        f"{source.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for source in modules(package)
        for line, module in imports(source)
        if module == "rclpy"
        and source.name not in MAY_IMPORT_RCLPY
        and not source.name.endswith("_node.py")
    ]
    assert not wrong


def test_launch_is_for_launch_files_alone():
    """Everything else runs where there is none."""
    found = {
        (source.name, module)
        for package in PACKAGES
        for source in modules(package)
        for _, module in imports(source)
        if module in ("launch", "launch_ros")
    }
    assert {name for name, _ in found} == {"launching.py"}
    importing = re.compile(r"^ *(from|import) serl_bringup[. ](import )?launching\b", re.MULTILINE)
    sources = [source for package in PACKAGES for source in modules(package)]
    assert not [source for source in sources if importing.search(source.read_text())]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_manifest_is_complete(package):
    root = manifest(package)
    assert root.get("format") == "3"
    assert root.findtext("name") == package.name
    assert root.findtext("license") == "Apache-2.0"
    assert root.findtext("version") == manifest(PACKAGES[0]).findtext("version")
    build_type = root.findtext("export/build_type")
    assert build_type == (
        "ament_cmake" if (package / "CMakeLists.txt").exists() else "ament_python"
    )


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_everything_imported_is_declared(package):
    """ROS packages and system libraries in package.xml, the rest pinned in requirements/."""
    for module, where in imported(package).items():
        if is_ros(module):
            assert module in declared(package), f"{where}: package.xml lacks {module}"
        elif module in ROSDEP_KEYS:
            key = ROSDEP_KEYS[module]
            assert key in declared(package), f"{where}: package.xml lacks {key}"
        else:
            assert module in PIP_NAMES, f"{where}: where does {module} come from?"
            names = (ROOT / "requirements/base.txt").read_text().splitlines()
            assert PIP_NAMES[module] in names, f"{where}: base.txt lacks {PIP_NAMES[module]}"


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda path: path.name)
def test_everything_declared_is_used(package):
    sources = modules(package)
    if package.name == "serl_bringup":
        # Tasks name environments, the launch file and the controllers what else they start.
        sources += [*ROOT.glob("config/**/*.yaml"), *ROOT.glob("launch/*.py")]
    text = "\n".join(source.read_text() for source in sources)
    module_of = {key: module for module, key in ROSDEP_KEYS.items()}
    unused = [
        name
        for name in declared(package)
        if not re.search(rf"\b{re.escape(module_of.get(name, name))}\b", text)
    ]
    assert not unused


@pytest.mark.parametrize("package", PYTHON_PACKAGES, ids=lambda path: path.name)
def test_every_node_is_a_console_script(package):
    """So that `ros2 run` finds it, and finds a `main` in it."""
    scripts = re.findall(
        rf'"(\w+) = {package.name}\.(\w+):main"', (package / "setup.py").read_text()
    )
    for name, module in scripts:
        source = ast.parse((package / package.name / f"{module}.py").read_text())
        functions = [node.name for node in source.body if isinstance(node, ast.FunctionDef)]
        assert "main" in functions, f"{name}: no main in {module}.py"
    nodes = {
        path.stem for path in modules(package) if path.name.endswith("_node.py") and has_main(path)
    }
    started = {module for _, module in scripts} | {path.name for path in package.glob("scripts/*")}
    # What the serl command alone starts needs none.
    assert nodes - {"echo_node", "topics_node"} <= started


def has_main(source: Path) -> bool:
    return re.search(r"^def main\(", source.read_text(), re.MULTILINE) is not None

"""What the viewer's page gets to show, and that nobody waits for it."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import rclpy
import rerun
from gymnasium import spaces
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rerun.chunk import RrdReader
from sensor_msgs.msg import MultiDOFJointState
from std_msgs.msg import Float32

from serl_actor.actor import EpisodeStats
from serl_actor.body_publisher import BodyPublisher, decode_bodies, encode_bodies
from serl_actor.environment import make_environment
from serl_bringup import page_server
from serl_bringup.monitor_node import Monitor
from serl_bringup.processes import NodeProcess, node_environment
from serl_bringup.progress import Progress
from serl_bringup.run import AgentRun, Run
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import load_task, load_tasks
from serl_bringup.training_view import TrainingView
from serl_bringup.viewer import Viewer
from serl_learner.codec import encode_transition
from serl_learner.config import ConfigError
from serl_learner.domain import acquire_domain
from serl_learner.qos import COMMAND, TRANSITIONS
from serl_learner.transition import Transition
from serl_msgs import msg
from serl_sim import scene_view

PATIENCE_S = 60.0


class Seeing(gym.Env):
    """A camera that shows the number of the step, and a force."""

    action_space = spaces.Box(-1.0, 1.0, (7,), np.float32)
    observation_space = spaces.Dict(
        {
            "force": spaces.Box(-np.inf, np.inf, (3,), np.float32),
            "wrist": spaces.Box(0, 255, (8, 8, 3), np.uint8),
        }
    )

    def reset(self, *, seed=None, options=None):
        self.made = 0
        return self._observation(), {}

    def step(self, action):
        self.made += 1
        return self._observation(), 0.5, False, False, {}

    def _observation(self):
        number = np.float32(self.made)
        return {"force": np.full(3, number), "wrist": np.full((8, 8, 3), self.made, np.uint8)}


class NoServer:
    """A page's server that is not needed."""

    data, page = "nowhere", "nowhere"

    def stop(self):
        pass


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """A viewer whose data go into a file; `shown.read()` closes it and gives what is in it."""
    file = tmp_path / "shown.rrd"
    monkeypatch.setattr("serl_bringup.viewer.PageServer", NoServer)
    monkeypatch.setattr("serl_bringup.viewer.PATIENCE_S", PATIENCE_S)  # of a busy machine
    monkeypatch.setattr(
        rerun.RecordingStream, "connect_grpc", lambda stream, url: stream.save(file)
    )
    with Viewer("task", lambda message: None) as viewer:

        def read():
            viewer.__exit__()
            assert not viewer._thread.is_alive()
            found = {}
            for chunk in RrdReader(file).stream():
                for row in _rows(chunk):
                    found.setdefault(chunk.entity_path, []).append(row)
            return found

        viewer.read = read
        yield viewer


def _rows(chunk):
    batch = chunk.to_record_batch()
    names = [name for name in batch.schema.names if ":" in name or name == "step"]
    columns = {name.rpartition(":")[2]: batch.column(name).to_pylist() for name in names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values(found, path, name):
    """Of a component, in the order in which they were shown."""
    return [row[name] for row in found[path] if row.get(name)]


def wait_until(ready):
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_newest_moment_is_shown_and_those_that_came_too_fast_are_not(shown):
    environment = shown.watched(Seeing())
    environment.reset()
    for number in range(1, 201):
        environment.step(np.full(7, number / 1000, np.float32))
    found = shown.read()
    forces = values(found, "/force", "scalars")
    assert forces[-1] == [200.0] * 3
    assert len(forces) < 50  # 200 steps take far less than 5 s
    np.testing.assert_allclose(values(found, "/action", "scalars")[-1], np.full(7, 0.2), rtol=1e-6)
    assert values(found, "/reward", "scalars")[-1] == [0.5]
    assert values(found, "/cameras/wrist", "media_type")[-1] == ["image/jpeg"]
    assert found["/cameras/wrist"][-1]["step"] == 201


def test_episodes_are_all_told_however_fast_they_end(shown):
    for number in range(30):
        stats = EpisodeStats("forward", "actor", number, length=7, success=number % 2 == 1)
        shown.episode(stats)
    told = [text for (text,) in values(shown.read(), "/episodes", "text")]
    assert len(told) == 30
    assert told[:2] == ["forward 0: failure after 7 steps", "forward 1: success after 7 steps"]


def test_nobody_waits_for_a_page_that_hangs(shown, monkeypatch):
    hangs, released = threading.Event(), threading.Event()

    def log(*_, **__):
        hangs.set()
        released.wait(PATIENCE_S)

    environment = shown.watched(Seeing())
    monkeypatch.setattr(shown._recording, "log", log)
    environment.reset()
    assert hangs.wait(PATIENCE_S)
    for number in range(100):
        environment.step(np.zeros(7, np.float32))
        shown.episode(EpisodeStats("agent", "actor", number))
    monkeypatch.setattr("serl_bringup.viewer.PATIENCE_S", 0.1)
    shown.__exit__()  # returns, while the thread still hangs
    assert shown._thread.is_alive()
    released.set()


def test_a_viewer_that_fails_says_so_and_ends_nobodys_run(shown, monkeypatch):
    said = []
    shown._say = said.append
    environment = shown.watched(Seeing())
    monkeypatch.setattr(shown._recording, "send_blueprint", lambda blueprint: 1 / 0)
    environment.reset()
    wait_until(lambda: said)
    assert said == ["the viewer has failed, all else goes on: division by zero"]
    environment.step(np.zeros(7, np.float32))


def test_a_port_that_somebody_else_took_is_told_in_one_line(monkeypatch):
    free = page_server._free_port
    with socket.create_server(("127.0.0.1", 0)) as other:  # who listens, and never answers
        taken = other.getsockname()[1]

        def port(wanted):
            return taken if wanted == page_server.DATA_PORT else free(0)

        monkeypatch.setattr(page_server, "_free_port", port)
        with pytest.raises(ConfigError, match=r"--view: the page's server has ended: .*in use"):
            Viewer("task", lambda message: None).__enter__()


def test_a_page_that_does_not_come_is_not_waited_for_for_ever(monkeypatch):
    started = []

    class Silent(NodeProcess):
        def __init__(self, name, module, arguments, log):
            started.append(self)
            super().__init__(name, "http.server", ["--bind", "127.0.0.1", "0"], log)

    monkeypatch.setattr(page_server, "START_S", 1.0)
    monkeypatch.setattr(page_server, "NodeProcess", Silent)
    with pytest.raises(ConfigError, match="--view: the page's server does not answer within 1 s"):
        Viewer("task", lambda message: None).__enter__()
    assert started[0].exit_code() is not None  # it is not left behind


def test_the_simulated_scene_is_shown_where_it_is(shown):
    task = load_task("pcb_insertion", observations="state")
    environment = make_environment(task.environment, judged=shown.watched)
    environment.reset(seed=0)
    environment.step(np.full(6, 0.5, np.float32))
    robot = environment.unwrapped.robot
    environment.close()
    found = shown.read()
    for name in ("panda_link7", "fixture"):
        at = values(found, f"/scene/{name}", "translation")[-1]
        np.testing.assert_allclose(at, [robot.data.body(name).xpos], atol=1e-3)
    meshes = [
        path for path, rows in found.items() if any(row.get("vertex_positions") for row in rows)
    ]
    assert len(meshes) > 10  # the arm's links, in parts


def test_cameras_work_where_the_viewer_was_imported_first():
    """MuJoCo chooses how it renders when it is imported; serl_sim has to come before it."""
    program = """
import serl_bringup.viewer
from serl_actor.environment import make_environment
from serl_bringup.task import load_task
environment = make_environment(load_task("pcb_insertion").environment)
assert environment.reset(seed=0)[0]["wrist_1"].max() > 50
"""
    chosen = ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY")
    environment = {name: value for name, value in os.environ.items() if name not in chosen}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_shapes_have_the_size_and_the_place_of_the_simulation():
    spec = mujoco.MjSpec()
    for kind, size in {
        "plane": [0, 0, 1],
        "box": [0.1, 0.2, 0.3],
        "cylinder": [0.1, 0.2, 0],
        "capsule": [0.1, 0.2, 0],
        "sphere": [0.1, 0, 0],
    }.items():
        spec.worldbody.add_geom(
            type=getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}"), size=size, name=kind
        )
    model = spec.compile()

    def batch(kind, name):
        shape = scene_view._shape(model, model.geom(kind).id, np.ones(4))
        return getattr(shape, name).as_arrow_array().to_pylist()

    assert scene_view._shape(model, model.geom("plane").id, np.ones(4)) is None
    np.testing.assert_allclose(batch("box", "half_sizes"), [[0.1, 0.2, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(batch("cylinder", "lengths"), [0.4], rtol=1e-6)  # half of it there
    np.testing.assert_allclose(batch("capsule", "lengths"), [0.4], rtol=1e-6)
    np.testing.assert_allclose(batch("capsule", "translations"), [[0, 0, -0.2]], rtol=1e-6)
    np.testing.assert_allclose(batch("sphere", "half_sizes"), [[0.1] * 3], rtol=1e-6)


@pytest.fixture
def node(monkeypatch):
    """Of whoever publishes, in a domain of its own; what is started in the test shares it."""
    context = rclpy.Context()
    with acquire_domain() as domain:
        for name, value in node_environment(domain.number).items():
            monkeypatch.setenv(name, value)
        rclpy.init(context=context)
        yield Node("publisher", context=context)
        rclpy.try_shutdown(context=context)


POSE = np.array([0.1, 0.2, 0.3, 0.0, 0.6, 0.0, 0.8])


class Heard:
    """A watcher that keeps what it is handed."""

    def __init__(self):
        self.poses = []

    def bodies(self, message):
        self.poses.append(decode_bodies(message))

    def transition(self, message): ...

    def probability(self, agent, message): ...


@pytest.mark.ros
def test_where_bodies_are_is_asked_and_told_only_while_somebody_listens(node):
    asked = []

    def body_poses():
        asked.append(time.monotonic())
        return {"cube": POSE, "panda_link7": POSE[::-1]}

    publisher, heard = BodyPublisher(node, body_poses), Heard()
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        publisher.publish()
    assert not asked

    def told():
        publisher.publish()
        return len(heard.poses) >= 3

    with Monitor("agent", watcher=heard):
        wait_until(told)
    assert np.diff(asked).min() >= 0.099  # however often it is called
    assert list(heard.poses[0]) == ["cube", "panda_link7"]
    np.testing.assert_array_equal(heard.poses[0]["cube"], POSE)
    np.testing.assert_array_equal(heard.poses[0]["panda_link7"], POSE[::-1])


def team(folder):
    """A run that is gone on with, at step 100: 70 of one agent and 30 of the other."""
    tasks = load_tasks("object_relocation", observations="state")
    folder = RunFolder.create(folder / "run", "object_relocation")
    steps = dict(zip(tasks, (70, 30), strict=True))
    agents = [
        AgentRun(name, task, folder, Progress(0.1, has_success=True, env_steps=steps[name]))
        for name, task in tasks.items()
    ]
    return Run("object_relocation", folder, tuple(agents))


class Noted(TrainingView):
    """Says what has come."""

    def transition(self, message):
        super().transition(message)
        if "probability" in self.came:  # which is of this step
            self.came.add("transition")

    def bodies(self, message):
        super().bodies(message)
        self.came.add("bodies")

    def probability(self, agent, message):
        super().probability(agent, message)
        self.came.add("probability")


@pytest.mark.ros
def test_a_training_is_shown_as_its_nodes_tell_it(node, shown, tmp_path):
    run = team(tmp_path)
    view, agent = Noted(shown, run), run.agents[1]
    view.came = set()
    observation = {"force": np.array([1, 2, 3], np.float32), "wrist": np.zeros((8, 8, 3), np.uint8)}
    action = np.array([0.25, -0.5], np.float32)
    step = Transition(agent.name, "actor", 40, 0, 0, observation, action, 1.0, False, False)
    sensor = qos_profile_sensor_data
    said = [
        (msg.Transition, f"/{agent.name}/transitions", TRANSITIONS, encode_transition(step)),
        (Float32, f"/{agent.name}/reward/probability", COMMAND, Float32(data=0.75)),
        (MultiDOFJointState, "/simulated_bodies", sensor, encode_bodies({"cube": POSE}, 1)),
    ]
    publishers = [(node.create_publisher(*topic), message) for *topic, message in said]

    def all_came():
        for publisher, message in publishers:
            publisher.publish(message)
        return len(view.came) == len(said)

    with Monitor(*[a.name for a in run.agents], watcher=view):
        wait_until(all_came)
    view.status(msg.LearnerStatus(agent=agent.name, critic_loss=np.nan, q_mean=0.5, utd_ratio=4.0))
    ended = msg.EpisodeSummary(agent=agent.name, episode=7, length=12, success=True)
    agent.progress.episode(ended)
    view.episode(ended, agent.progress)
    found = shown.read()
    assert values(found, "/force", "scalars")[-1] == [1.0, 2.0, 3.0]
    assert values(found, "/action", "scalars")[-1] == [0.25, -0.5]
    assert "/cameras/wrist" in found
    assert found["/action"][-1]["step"] == 70 + 41  # of the whole run
    assert values(found, "/reward/probability", "scalars")[-1] == [0.75]
    words = f"**{agent.name}** acts, probability of success: 0.75"
    assert values(found, "/now", "text")[-1] == [words]
    np.testing.assert_allclose(values(found, "/scene/cube", "translation")[-1], [POSE[:3]])
    np.testing.assert_allclose(values(found, "/scene/cube", "quaternion")[-1], [POSE[3:]])
    for name, value in {"Q": 0.5, "updates per step": 4.0, "success rate": 1.0}.items():
        (row,) = found[f"/training/{escaped(name)}/{agent.name}"]
        assert (row["step"], row["scalars"]) == (111, [value])
    assert f"/training/{escaped('critic loss')}/{agent.name}" not in found  # NaN is no point


def escaped(name):
    return name.replace(" ", "\\ ")


def test_the_page_is_there_for_this_machine_alone_and_gone_afterwards():
    said = []
    with Viewer("task", said.append):
        (message,) = said
        url = message.removeprefix("watch at ")
        wait_until(lambda: _answers(url))
        page = urllib.request.urlopen(url).read()
        assert b"rerun" in page.lower()
        port = int(url.split(":")[2].split("/")[0])
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", port))  # who listens everywhere answers there too
    assert not _answers(url)


def _answers(url):
    try:
        return urllib.request.urlopen(url).status == 200
    except OSError:
        return False

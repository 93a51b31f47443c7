"""What the robot sees and does, live in a browser, through rerun."""

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import gymnasium as gym
import numpy as np
import rerun
import rerun.blueprint as layout

from serl_actor.actor import EpisodeStats
from serl_bringup.processes import NodeProcess
from serl_learner.config import ConfigError
from serl_learner.transition import Observation, Transition
from serl_msgs.msg import EpisodeSummary
from serl_sim.scene_view import ROOT, Places, SceneView, shows

HOST = "127.0.0.1"
DATA_PORT, PAGE_PORT = 9876, 9090
MEMORY = "256MB"  # of what a page that is opened late is shown
PERIOD_S = 0.1  # between two steps that are shown
PATIENCE_S = 2.0  # at the end, with a page that does not answer
AXES = ("x", "y", "z", "rotation x", "rotation y", "rotation z", "gripper")
TEXT = layout.archetypes.TextLogColumns(text_log_columns=["Body"], timeline_columns=["step"])
RECENT = {
    "time_ranges": layout.VisibleTimeRange(
        "step",
        start=layout.TimeRangeBoundary.cursor_relative(seq=-200),
        end=layout.TimeRangeBoundary.cursor_relative(seq=0),
    )
}


@dataclass(frozen=True)
class Moment:
    """What is seen after a step, or after a reset; and the step."""

    number: int
    observation: Observation
    action: np.ndarray | None = None
    reward: float = 0.0
    places: Places | None = None  # of a simulated scene


class Viewer:
    """A page for browsers of this machine, while this context is open.

    Whoever acts never waits for it: a thread shows the newest moment, up to ten times a second, and
    leaves out those that came before it.
    """

    def __init__(self, title: str, say: Callable[[str], None]):
        """`say` is told where to look."""
        self._title, self._say = title.replace("/", " "), say  # rerun wants no slash
        self._newest: queue.Queue[Moment] = queue.Queue(1)
        self._endings: queue.SimpleQueue[str] = queue.SimpleQueue()  # of episodes
        self._scene: SceneView | None = None
        self._arranged: list[str] | None = None  # names of what is observed
        self._number = 0  # of steps made elsewhere
        self._over = threading.Event()

    def __enter__(self) -> "Viewer":
        data, page = _free_port(DATA_PORT), _free_port(PAGE_PORT)
        options = ["--serve-web", "--bind", HOST, "--server-memory-limit", MEMORY, "--newest-first"]
        ports = ["--port", str(data), "--web-viewer-port", str(page)]
        module = "serl_bringup.view_page"
        self._folder = TemporaryDirectory(prefix="serl_view_")
        log = Path(self._folder.name, "page.log")
        self._server = NodeProcess("viewer", module, options + ports, log)
        self._recording = rerun.RecordingStream(self._title)
        self._recording.connect_grpc(f"rerun+http://{HOST}:{data}/proxy")
        if self._server.exit_code() is not None:
            raise ConfigError(f"--view: the page's server has ended: {self._server.last_line()}")
        self._thread = threading.Thread(target=self._show, name="viewer", daemon=True)
        self._thread.start()
        self._say(f"watch at http://{HOST}:{page}/?url=rerun%2Bhttp://{HOST}:{data}/proxy")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=PATIENCE_S)  # which may hang, with the page
        self._server.stop(timeout_s=PATIENCE_S)
        self._folder.cleanup()

    def watched(self, environment: gym.Env) -> gym.Env:
        """The same environment; what it observes and does is shown, and a simulated scene."""
        if shows(environment.unwrapped):
            self._scene = SceneView(environment.unwrapped, self._recording)
        return _Watched(environment, self._scene, self._put)

    def step(self, transition: Transition) -> None:
        """Shows a step that was made elsewhere: what was seen before it."""
        self._number += 1
        seen, action = transition.observation, transition.action
        self._put(Moment(self._number, seen, action, transition.reward))

    def episode(self, stats: EpisodeStats | EpisodeSummary) -> None:
        """Says how an episode has ended."""
        outcome = "discarded" if stats.discarded else "success" if stats.success else "failure"
        self._endings.put(f"{stats.agent} {stats.episode}: {outcome} after {stats.length} steps")

    def _put(self, moment: Moment) -> None:
        with contextlib.suppress(queue.Empty):
            self._newest.get_nowait()
        self._newest.put_nowait(moment)

    def _show(self) -> None:
        try:
            self._show_all()
        except Exception as error:  # whatever rerun throws ends nobody's run
            self._say(f"the viewer has failed, all else goes on: {error}")

    def _show_all(self) -> None:
        over = False
        while not over:
            over = self._over.wait(PERIOD_S)
            while not self._endings.empty():
                self._recording.log("episodes", rerun.TextLog(self._endings.get()))
            with contextlib.suppress(queue.Empty):
                self._show_moment(self._newest.get_nowait())
        self._recording.disconnect()

    def _show_moment(self, moment: Moment) -> None:
        show = self._recording
        if self._arranged != list(moment.observation):
            self._arrange(moment.observation)
        show.set_time("step", sequence=moment.number)
        for name, value in moment.observation.items():
            if value.dtype == np.uint8:
                show.log(f"cameras/{name}", rerun.Image(value).compress(jpeg_quality=90))
        if "force" in moment.observation:
            show.log("force", rerun.Scalars(moment.observation["force"]))
        if moment.action is not None:
            show.log("action", rerun.Scalars(moment.action))
            show.log("reward", rerun.Scalars(moment.reward))
        if moment.places is not None:
            self._scene.show(moment.places)

    def _arrange(self, example: Observation) -> None:
        """Cameras beside the scene, curves below."""
        self._arranged = list(example)
        images = [name for name, value in example.items() if value.dtype == np.uint8]
        views = [layout.Spatial2DView(origin=f"cameras/{name}", name=name) for name in images]
        seen = [layout.Vertical(*views)] if views else []
        if self._scene is not None:
            seen.append(layout.Spatial3DView(origin=ROOT, name="scene"))
        names = ["action", "reward"] + ["force"] * ("force" in example)
        curves = [layout.TimeSeriesView(origin=name, name=name, **RECENT) for name in names]
        endings = layout.TextLogView(origin="episodes", name="episodes", columns=TEXT)
        below = layout.Horizontal(*curves, endings)
        rows = [layout.Horizontal(*seen), below] if seen else [below]
        page = layout.Vertical(*rows, row_shares=[3, 1][-len(rows) :])
        self._recording.send_blueprint(layout.Blueprint(page, collapse_panels=True))
        if "pose" in example:  # of a tool
            for name, axes in (("action", AXES), ("force", AXES[:3])):
                self._recording.log(name, rerun.SeriesLines(names=axes), static=True)


class _Watched(gym.Wrapper):
    def __init__(self, env: gym.Env, scene: SceneView | None, show: Callable[[Moment], None]):
        super().__init__(env)
        self._scene, self._show = scene, show
        self._number = 0

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        observation, info = self.env.reset(seed=seed, options=options)
        self._see(observation)
        return observation, info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._see(observation, np.array(action), reward)
        return observation, reward, terminated, truncated, info

    def _see(
        self, observation: Observation, action: np.ndarray | None = None, reward: float = 0.0
    ) -> None:
        self._number += 1
        places = self._scene.places() if self._scene is not None else None
        self._show(Moment(self._number, observation, action, reward, places))


def _free_port(wanted: int) -> int:
    """The one that is wanted, which a tunnel may lead to, or where that is taken another one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just closed
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return probe.getsockname()[1]

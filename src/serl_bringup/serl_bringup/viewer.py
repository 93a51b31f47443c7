"""What the robot sees and does, live in a browser, through rerun."""

import math
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
import rerun

from serl_actor.actor import EpisodeStats
from serl_actor.body_publisher import Poses, has_bodies
from serl_bringup.page_server import PageServer
from serl_bringup.view_layout import CAMERAS, EPISODES, NOW, TRAINING, Contents, arranged
from serl_learner.transition import Observation
from serl_msgs.msg import EpisodeSummary
from serl_sim.scene_view import SceneView, scene_of

PERIOD_S = 0.1  # between two steps that are shown
PATIENCE_S = 2.0  # at the end, with a page that does not answer
AXES = ("x", "y", "z", "rotation x", "rotation y", "rotation z", "gripper")


@dataclass(frozen=True)
class Moment:
    """What is seen after a step, or after a reset; and the step."""

    number: int
    observation: Observation
    action: np.ndarray | None = None
    reward: float = 0.0


class Viewer:
    """A page for browsers of this machine, while this context is open.

    Whoever acts never waits for it: a thread shows what is newest, up to ten times a second, and
    leaves out what came before it; but episodes and curves of a training are shown whole.
    """

    def __init__(self, title: str, say: Callable[[str], None]):
        """`say` is told where to look."""
        self._title, self._say = title.replace("/", " "), say  # rerun wants no slash
        self._newest: dict[Callable[[Any], None], Any] = {}  # by what shows it
        self._lock = threading.Lock()  # of the newest
        self._all: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._scene: SceneView | None = None
        self._contents = Contents()
        self._arranged: Contents | None = None
        self._over = threading.Event()

    def __enter__(self) -> "Viewer":
        self._server = PageServer()
        self._recording = rerun.RecordingStream(self._title)
        self._recording.connect_grpc(self._server.data)
        self._thread = threading.Thread(target=self._show, name="viewer", daemon=True)
        self._thread.start()
        self._say(f"watch at {self._server.page}")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=PATIENCE_S)  # which may hang, with the page
        self._server.stop()

    def watched(self, environment: gym.Env) -> gym.Env:
        """The same environment; what it observes and does is shown, and a simulated scene."""
        self.scene(environment)
        return _Watched(environment, self)

    def scene(self, environment: gym.Env) -> None:
        """Shows the scene of a simulation, such as this one, which need not be the one that runs.

        `bodies` then tells where everything is. Others than ours have none that is shown.
        """
        model = scene_of(environment)
        if model is not None:
            self._scene = SceneView(model, self._recording)
            self._contents = replace(self._contents, scene=True)

    def moment(self, moment: Moment) -> None:
        self._put(self._show_moment, moment)

    def bodies(self, poses: Poses) -> None:
        """Where they are now."""
        if self._scene is not None:
            self._put(self._scene.show, poses)

    def probability(self, probability: float) -> None:
        """That the newest step was a success, as its judge sees it."""
        self._put(self._show_probability, probability)

    def now(self, text: str) -> None:
        """A line, of Markdown, that replaces the one before."""
        self._put(self._show_now, text)

    def episode(self, stats: EpisodeStats | EpisodeSummary) -> None:
        """Says how an episode has ended."""
        outcome = "discarded" if stats.discarded else "success" if stats.success else "failure"
        text = f"{stats.agent} {stats.episode}: {outcome} after {stats.length} steps"
        self._all.put(lambda: self._recording.log(EPISODES, rerun.TextLog(text)))

    def training(self, agent: str, number: int, values: dict[str, float]) -> None:
        """Points of an agent's curves, by name, at the step of that number; NaN is none."""
        self._all.put(lambda: self._show_training(agent, number, values))

    def _put(self, show: Callable[[Any], None], value: Any) -> None:
        with self._lock:
            self._newest[show] = value

    def _show(self) -> None:
        try:
            self._show_all()
        except Exception as error:  # whatever rerun throws ends nobody's run
            self._say(f"the viewer has failed, all else goes on: {error}")

    def _show_all(self) -> None:
        self._recording.set_time("step", sequence=0)
        over = False
        while not over:
            over = self._over.wait(PERIOD_S)
            while not self._all.empty():
                self._all.get()()
            with self._lock:
                newest, self._newest = self._newest, {}
            for show, value in newest.items():
                show(value)
            if self._contents != self._arranged:
                self._arranged = self._contents
                self._recording.send_blueprint(arranged(self._contents))
        self._recording.disconnect()

    def _show_moment(self, moment: Moment) -> None:
        show = self._recording
        self._see(moment.observation)
        show.set_time("step", sequence=moment.number)
        for name, value in moment.observation.items():
            if value.dtype == np.uint8:
                show.log(f"{CAMERAS}/{name}", rerun.Image(value).compress(jpeg_quality=90))
        if "force" in moment.observation:
            show.log("force", rerun.Scalars(moment.observation["force"]))
        if moment.action is not None:
            show.log("action", rerun.Scalars(moment.action))
            show.log("reward", rerun.Scalars(moment.reward))

    def _show_probability(self, probability: float) -> None:
        self._recording.log("reward/probability", rerun.Scalars(probability))

    def _show_now(self, text: str) -> None:
        self._contents = replace(self._contents, now=True)
        self._recording.log(NOW, rerun.TextDocument(text, media_type="text/markdown"))

    def _show_training(self, agent: str, number: int, values: dict[str, float]) -> None:
        self._recording.set_time("step", sequence=number)
        seen = self._contents
        curves = tuple(dict.fromkeys((*seen.training, *values)))
        agents = tuple(dict.fromkeys((*seen.agents, agent)))
        self._contents = replace(seen, training=curves, agents=agents)
        for name, value in values.items():
            if not math.isnan(value):
                self._recording.log([TRAINING, name, agent], rerun.Scalars(value))

    def _see(self, example: Observation) -> None:
        """What there is to be arranged, of the first of its kind."""
        if self._contents.observed == tuple(example):
            return
        cameras = tuple(name for name, value in example.items() if value.dtype == np.uint8)
        self._contents = replace(self._contents, observed=tuple(example), cameras=cameras)
        if "pose" in example:  # of a tool
            for name, axes in (("action", AXES), ("force", AXES[:3])):
                self._recording.log(name, rerun.SeriesLines(names=axes), static=True)


class _Watched(gym.Wrapper):
    def __init__(self, env: gym.Env, viewer: Viewer):
        super().__init__(env)
        self._viewer = viewer
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
        self._viewer.moment(Moment(self._number, observation, action, reward))
        if has_bodies(self):
            self._viewer.bodies(self.unwrapped.body_poses())

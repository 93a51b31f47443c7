"""`serl demos replay`: the arm does again what a recording shows, on the simulator or a robot."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import gymnasium as gym
import imageio.v2 as imageio
import numpy as np
from rich.console import Console

from serl_actor import frames
from serl_actor.actor import Actor, ActorConfig, Agent
from serl_actor.environment import control_period_s, make_environment
from serl_actor.planned_reset import PlannedReset
from serl_actor.reset import DEFAULT_AGENT, ResetConfig, ResetPlan, ResetPlanner, ResetRequest
from serl_actor.reset_path import PERIOD_S
from serl_bringup.episodes import read_episodes
from serl_bringup.robot import robot_of
from serl_bringup.task import Task
from serl_bringup.viewing import viewing
from serl_learner.config import expect
from serl_learner.transition import Observation, Transition
from serl_learner.transition_log import read_task

HELD = 10  # way-points more, a second, at the place where the episode began
ARRIVED_M, ARRIVED_RAD = 0.01, 0.1  # from where it began: what is begun elsewhere ends elsewhere


def replay_file(
    task: Task,
    source: Path,
    number: int,
    confirm: Callable[[str], bool],
    video: Path | None,
    view: bool,
    console: Console,
) -> bool:
    """Drives to where an episode began, makes its steps, and says how close it came.

    At the robot's rate; nothing but the arm is put where it was. False where `confirm` says so,
    before it moves. Raises ConfigError where the episode cannot be done again, or the arm does not
    come to where it began.
    """
    recorded = read_task(source)
    expect(recorded == task.task, f"{source}", f"a recording of {task.task}", f"one of {recorded}")
    episodes = list(read_episodes(source))
    expect(episodes, f"{source}", "an episode", "none")
    last = len(episodes) - 1
    expect(number <= last, f"{source}: --episode", f"0 to {last}", number)
    shown = episodes[number]
    reset = _back_to(shown[0].observation, task, source)
    if not confirm(f"the arm moves: {len(shown)} steps of {task.task}. Is the way free?"):
        console.print("nothing moved")
        return False
    with robot_of(task), viewing(view, task.task, console) as viewer:
        make = partial(
            make_environment,
            replace(task.environment, locator=""),  # nobody acts by what it sees
            base_pose=True,
            judged=viewer and viewer.watched,
            resets=partial(PlannedReset, planner=_then_hold(ResetPlanner(reset, 0)), judges={}),
        )
        with _filmed(make, video, console) as (environment, take):
            agent = Agent(_Recorded(shown), reset.agents[0], sinks=[take])
            made = _replay(environment, agent, len(shown), console)
    judged = task.reward.source == "environment"
    outcome = _outcome(made) if judged else "not judged"
    console.print(f"{len(made)} of {len(shown)} steps, {outcome}; as recorded: {_outcome(shown)}")
    console.print(f"the tool was at most {1e3 * _farthest(made, shown):.1f} mm from where it was")
    return True


def _back_to(start: Observation, task: Task, source: Path) -> ResetConfig:
    """Drives the arm to where it was, with the speeds of the task's own resets."""
    expected = "observations with base_pose, as `serl demos record` records those of an arm"
    expect("base_pose" in start, f"{source}", expected, ", ".join(start))
    agent = task.environment.arguments.get("agent", DEFAULT_AGENT)
    opening = start.get("gripper")
    return ResetConfig(
        source="scripted",
        start_pose=tuple(start["base_pose"].tolist()),
        gripper=None if opening is None else float(np.clip(opening[0], 0.0, 1.0)),
        lift=task.reset.lift,
        linear_speed=task.reset.linear_speed,
        angular_speed=task.reset.angular_speed,
        agents=(agent,),
    )


def _then_hold(planner: ResetPlanner) -> Callable[[ResetRequest], ResetPlan]:
    """Plans that end at rest: what is begun a few millimetres aside ends there, too."""

    def plan(request: ResetRequest) -> ResetPlan:
        planned = planner.plan(request)
        if len(planned.waypoints) == 0:
            return planned
        held = np.tile(planned.waypoints[-1], (HELD, 1))
        held[:, 0] += PERIOD_S * np.arange(1, HELD + 1)
        return replace(planned, waypoints=np.concatenate([planned.waypoints, held]))

    return plan


@contextmanager
def _filmed(
    make: Callable[..., gym.Env], video: Path | None, console: Console
) -> Iterator[tuple[gym.Env, Callable[[Transition], None]]]:
    """An environment, and what films a step of it, where there are pictures."""
    environment = make(render_mode="rgb_array") if video else make()
    writer = None

    def take(transition: Transition) -> None:
        nonlocal writer
        if video is None:
            return
        try:
            picture = environment.render()
        except (NotImplementedError, RuntimeError) as error:  # the arm moves all the same
            console.print(f"no picture of step {transition.step}: {error}", soft_wrap=True)
            return
        rate_hz = 1.0 / control_period_s(environment)
        writer = writer or imageio.get_writer(video, fps=rate_hz, macro_block_size=2, quality=8)
        writer.append_data(picture)

    try:
        yield environment, take
    finally:
        if writer is not None:
            writer.close()
        environment.close()


def _replay(environment: gym.Env, agent: Agent, steps: int, console: Console) -> list[Transition]:
    """The steps as they are made now; fewer where the episode ends sooner."""
    made: list[Transition] = []
    agent.sinks = [*agent.sinks, made.append]
    rate_hz = 1.0 / control_period_s(environment)
    config = ActorConfig(max_steps=steps, control_rate_hz=rate_hz)
    actor = Actor(environment, [agent], config, say=console.print)
    actor.run(stop=lambda: bool(made) and (made[-1].terminated or made[-1].truncated))
    return made


class _Recorded:
    """A policy that does what was done, from where it was done."""

    version = 0

    def __init__(self, episode: Sequence[Transition]):
        self._start = episode[0].observation["base_pose"].astype(np.float64)
        self._actions = (transition.action for transition in episode)
        self._arrived = False

    def begin_episode(self) -> None:
        pass

    def act(self, observation: Observation) -> np.ndarray:
        if not self._arrived:
            self._check(observation["base_pose"].astype(np.float64))
            self._arrived = True
        return next(self._actions)

    def _check(self, pose: np.ndarray) -> None:
        off = frames.pose_vector(frames.relative(self._start, pose))
        meters, radians = np.linalg.norm(off[:3]), np.linalg.norm(off[3:])
        near = meters <= ARRIVED_M and radians <= ARRIVED_RAD
        wanted = f"the arm within {1e3 * ARRIVED_M:.0f} mm and {ARRIVED_RAD} rad of where it began"
        expect(near, "replay", wanted, f"{1e3 * meters:.0f} mm and {radians:.2f} rad")


def _outcome(episode: Sequence[Transition]) -> str:
    return "success" if any(t.success for t in episode) else "no success"


def _farthest(made: Sequence[Transition], shown: Sequence[Transition]) -> float:
    """m, over the poses of both."""
    here, there = _positions(made), _positions(shown)
    both = min(len(here), len(there))
    return float(np.linalg.norm(here[:both] - there[:both], axis=1).max())


def _positions(episode: Sequence[Transition]) -> np.ndarray:  # (T + 1, 3) m
    seen = [t.observation for t in episode] + [episode[-1].final_observation]
    return np.array([observation["base_pose"][:3] for observation in seen if observation])

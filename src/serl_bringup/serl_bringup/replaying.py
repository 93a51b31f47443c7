"""`serl demos replay`: the arm does again what a recording shows, on the simulator or a robot."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium as gym
import imageio.v2 as imageio
import numpy as np
from rich.console import Console

from serl_actor.actor import Actor, ActorConfig, Agent
from serl_actor.environment import control_period_s, make_environment
from serl_actor.planned_reset import PlannedReset
from serl_actor.reset import DEFAULT_AGENT, ResetConfig, ResetPlan, ResetPlanner, ResetRequest
from serl_actor.reset_path import PERIOD_S
from serl_bringup.episodes import read_episodes
from serl_bringup.task import Task
from serl_learner.config import expect
from serl_learner.transition import Observation, Transition
from serl_learner.transition_log import read_task

if TYPE_CHECKING:
    from serl_bringup.viewer import Viewer

HELD = 10  # way-points more, a second, at the place where the episode began


def replay_file(
    task: Task,
    source: Path,
    number: int,
    confirm: Callable[[str], bool],
    video: Path | None,
    console: Console,
    viewer: "Viewer | None" = None,
) -> bool:
    """Drives to where an episode began, makes its steps, and says how close it came.

    Nothing but the arm is put where it was. False where `confirm` says so, before it moves.
    """
    recorded = read_task(source)
    expect(recorded == task.task, f"{source}", f"a recording of {task.task}", f"one of {recorded}")
    episodes = list(read_episodes(source))
    last = len(episodes) - 1
    expect(number <= last, f"{source}: --episode", f"0 to {last}", number)
    shown = episodes[number]
    reset = _back_to(shown[0].observation, task, source)
    if not confirm(f"the arm moves: {len(shown)} steps of {task.task}. Is the way free?"):
        console.print("nothing moved")
        return False
    make = partial(
        make_environment,
        task.environment,
        base_pose=True,
        judged=viewer and viewer.watched,
        resets=partial(PlannedReset, planner=_then_hold(ResetPlanner(reset, seed=0)), judges={}),
    )
    with _filmed(make, video) as (environment, take):
        agent = Agent(_Recorded(shown), reset.agents[0], sinks=[take])
        made = _replay(environment, agent, len(shown), task.actor.control_rate_hz, console)
    console.print(
        f"{len(made)} of {len(shown)} steps, {_outcome(made)}; as recorded: {_outcome(shown)}"
    )
    console.print(f"the tool was at most {1e3 * _farthest(made, shown):.1f} mm from where it was")
    return True


def _back_to(start: Observation, task: Task, source: Path) -> ResetConfig:
    """Drives the arm to where it was, with the speeds of the task's own resets."""
    expected = "observations with base_pose, as `serl demos record` records those of an arm"
    expect("base_pose" in start, f"{source}", expected, ", ".join(start))
    agent = task.environment.arguments.get("agent", DEFAULT_AGENT)
    opening = start.get("gripper")
    return replace(
        ResetConfig(),
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
    make: Callable[..., gym.Env], video: Path | None
) -> Iterator[tuple[gym.Env, Callable[[Transition], None]]]:
    """An environment, and what films a step of it."""
    environment = make(render_mode="rgb_array") if video else make()
    try:
        if video is None:
            yield environment, lambda transition: None
            return
        rate_hz = 1.0 / control_period_s(environment)
        with imageio.get_writer(video, fps=rate_hz, macro_block_size=2, quality=8) as writer:
            yield environment, lambda transition: writer.append_data(environment.render())
    finally:
        environment.close()


def _replay(
    environment: gym.Env, agent: Agent, steps: int, rate_hz: float, console: Console
) -> list[Transition]:
    """The steps as they are made now; fewer where the episode ends sooner."""
    made: list[Transition] = []
    agent.sinks = [*agent.sinks, made.append]
    config = ActorConfig(max_steps=steps, control_rate_hz=rate_hz)
    actor = Actor(environment, [agent], config, say=console.print)
    actor.run(stop=lambda: bool(made) and (made[-1].terminated or made[-1].truncated))
    return made


class _Recorded:
    """A policy that does what was done."""

    version = 0

    def __init__(self, episode: Sequence[Transition]):
        self._actions = (transition.action for transition in episode)

    def begin_episode(self) -> None:
        pass

    def act(self, observation: Observation) -> np.ndarray:
        return next(self._actions)


def _outcome(episode: list[Transition]) -> str:
    return "success" if any(t.success for t in episode) else "no success"


def _farthest(made: list[Transition], shown: list[Transition]) -> float:
    """m, over the steps of both."""
    positions = [[t.observation["base_pose"][:3] for t in episode] for episode in (made, shown)]
    both = min(len(made), len(shown))
    apart = np.array(positions[0][:both]) - np.array(positions[1][:both])
    return float(np.linalg.norm(apart, axis=1).max())

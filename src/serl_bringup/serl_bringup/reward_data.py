"""`serl reward collect`: labelled frames for a classifier of success."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.progress import Progress as ProgressBar

from serl_actor.actor import Actor, ActorConfig, Agent, EpisodeStats, PolicySource
from serl_actor.demonstrations import FAILURES_ALLOWED
from serl_actor.environment import control_period_s, demonstrator_of, make_environment
from serl_actor.intervention import Device
from serl_actor.latest_policy import check_fits
from serl_actor.probing import GoesOn, Probing, Resting
from serl_actor.relative_frame import RelativeFrame
from serl_bringup.demonstrations import new_file
from serl_bringup.hand import hand
from serl_bringup.keys import SPACE, Keys
from serl_bringup.robot import robot_of, robot_resets
from serl_bringup.task import Task
from serl_learner.config import ConfigError, expect
from serl_learner.policy import Policy
from serl_learner.transition import Observation, Transition
from serl_reward.dataset import choose_frames, labelled_frames

POLICY_STEPS = 30  # of an episode: a policy that has got where it wants shows the same thereafter

# A label by key: whether the frame of the step just made shows success.
Labeller = Callable[[], bool]


class Exploring:
    """A policy that learns no more, with its exploration."""

    version = 0

    def __init__(self, policy: Policy):
        self._policy = policy

    def begin_episode(self) -> None:
        self._policy.begin_episode()

    def act(self, observation: Observation) -> np.ndarray:
        return self._policy.act(observation, deterministic=False)


class LabelledByPerson(gym.Wrapper):
    """Success is what a person says of each step, whatever the environment knows."""

    def __init__(self, env: gym.Env, labeller: Labeller):
        super().__init__(env)
        self._labeller = labeller

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        observation, info = self.env.reset(seed=seed, options=options)
        self._labeller()  # what was pressed before is about no frame of this episode
        return observation, info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, info | {"success": self._labeller()}


def collect_file(
    task: Task,
    positives: int,
    negatives: int,
    seed: int,
    path: Path,
    by_key: bool,
    policy: Policy | None,
    console: Console,
    device: str = "scripted",
) -> None:
    """Acts as in `collect` until there are so many frames of each class, in a new file.

    With a `device` that a person holds, they move the arm, and label by key.
    """
    _check_who(task, policy, device)
    if by_key or device != "scripted":
        console.print("SPACE marks the frame of that step as success; hold it while that lasts")
    with (
        robot_of(task),
        new_file(path, task.task) as append,
        _labelling(task, by_key, device, console) as person,
        ProgressBar(console=console, transient=True) as bar,
    ):
        shown = [
            bar.add_task(name, total=count)
            for name, count in (("positive frames", positives), ("negative frames", negatives))
        ]

        def write(transition: Transition) -> None:
            append(transition)
            bar.update(shown[not transition.success], advance=1)

        collect(task, positives, negatives, seed, write, policy=policy, **person)
    show_counts(path, console)


def collect(
    task: Task,
    positives: int,
    negatives: int,
    seed: int,
    write: Callable[[Transition], None],
    labeller: Labeller | None = None,
    policy: Policy | None = None,
    device: Callable[[gym.Env], Device] | None = None,
) -> None:
    """Probes the task's environment, or shows what a `policy` takes for success; or a `device`.

    Labels are the environment's, or those of a `labeller`, for whom it keeps the robot's rate. Each
    transition's label is that of what follows it. Raises ConfigError where the environment has no
    cameras or no demonstrator, or where many episodes in a row bring no positive frame.
    """
    environment, probing, source = _acting(task, seed, labeller, policy, device)
    counted = _Counted(task.task, positives, negatives, probing, write)
    rate_hz = 0.0 if labeller is None else 1.0 / control_period_s(environment)
    actor = Actor(
        environment,
        [Agent(source, sinks=[counted.add], episode_sinks=[counted.end])],
        ActorConfig(max_steps=np.iinfo(np.int64).max, control_rate_hz=rate_hz),
        actor="probing",
        seed=seed,
        say=lambda message: print(message, file=sys.stderr),
    )
    try:
        actor.run(stop=counted.enough)
    finally:
        environment.close()


def extract_file(
    task: Task,
    recordings: Sequence[Path],
    positives: int,
    negatives: int,
    path: Path,
    console: Console,
) -> None:
    """At most so many frames of each class from recordings, evenly over episodes, in a new file.

    Each frame is the final observation of a transition of its own: what followed it is not there.
    """
    with new_file(path, task.task) as append:
        chosen = choose_frames(recordings, positives, negatives, task.task)
        led_to = ((episode, frame) for episode, frame in chosen if frame.transition is not None)
        for sequence, (episode, frame) in enumerate(led_to):
            transition = replace(frame.transition, sequence=sequence, episode=episode)
            transition.truncated = not transition.terminated
            transition.final_observation = frame.observation
            append(transition)
    show_counts(path, console)


def show_counts(path: Path, console: Console) -> None:
    """Says how many frames of each class a recording has, from how many episodes."""
    frames = [(frame.success, frame.episode) for frame in labelled_frames(path)]
    parts = []
    for name, label in (("positive", True), ("negative", False)):
        episodes = [episode for success, episode in frames if success is label]
        parts.append(f"{len(episodes)} {name} frames from {len(set(episodes))} episodes")
    console.print(f"{path}: {', '.join(parts)}", soft_wrap=True)


def _check_who(task: Task, policy: Policy | None, device: str) -> None:
    """A script knows nothing of a robot."""
    if task.robot and policy is None:
        expected = f"one that a person holds, with --robot {task.robot}"
        expect(device != "scripted", "--device", expected, device)
    expect(policy is None or device == "scripted", "--device", "none with --policy", device)


@contextmanager
def _labelling(
    task: Task, by_key: bool, device: str, console: Console
) -> Iterator[dict[str, Callable]]:
    """Who labels, and who acts, as `collect` takes them."""
    if device != "scripted":
        with hand(replace(task.intervention, device=device), console.print) as person:
            yield {"labeller": lambda: SPACE in person.pressed(), "device": person.device}
    elif by_key:
        with Keys() as keys:
            yield {"labeller": keys.space}
    else:
        yield {}


def _acting(
    task: Task,
    seed: int,
    labeller: Labeller | None,
    policy: Policy | None,
    device: Callable[[gym.Env], Device] | None,
) -> tuple[gym.Env, Probing | None, PolicySource]:
    """The environment in the form of the task's demonstrations, and what acts in it."""
    config = task.environment
    if policy is None:
        config = replace(config, locator="")  # nobody looks at what it tells
    else:
        config = replace(config, max_episode_steps=min(config.max_episode_steps, POLICY_STEPS))
    environment = make_environment(
        replace(config, relative_frame=False), device=device, resets=robot_resets(task, seed)
    )
    spaces = environment.observation_space.values()
    if not any(len(space.shape) == 3 for space in spaces):
        raise ConfigError(f"{task.task}: expected observations of cameras")
    simulation, environment = environment, GoesOn(environment)
    if labeller is not None:
        environment = LabelledByPerson(environment, labeller)
    probing, source = None, Resting(environment.action_space.shape[0])
    if policy is not None:
        source = Exploring(policy)
    elif device is None:
        demonstrator = demonstrator_of(config, seed)(simulation)
        environment = probing = Probing(environment, demonstrator, seed)
    if config.relative_frame:
        environment = RelativeFrame(environment)
    if policy is not None:
        check_fits(policy, environment)
    return environment, probing, source


class _Counted:
    """Writes transitions and counts their labels."""

    def __init__(self, task, positives, negatives, probing, write):
        self._task, self._probing, self._write = task, probing, write
        self._missing = {True: positives, False: negatives}
        self._episodes_without = 0  # a positive frame, in a row

    def add(self, transition: Transition) -> None:
        self._write(transition)
        self._missing[transition.success] -= 1
        if self._probing is not None:
            self._probing.dwells = self._missing[True] > 0

    def enough(self) -> bool:
        return max(self._missing.values()) <= 0

    def end(self, stats: EpisodeStats) -> None:
        self._episodes_without = 0 if stats.success else self._episodes_without + 1
        if self._episodes_without == FAILURES_ALLOWED and self._missing[True] > 0:
            raise ConfigError(
                f"{self._task}: expected {self._missing[True]} more positive frames, got none in"
                f" {FAILURES_ALLOWED} episodes"
            )

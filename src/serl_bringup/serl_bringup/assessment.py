"""How good a run's policies are: evaluated, and filmed, as they would be used.

An agent alone begins where its environment's reset puts it. Several take turns, as in training,
each from where the one before has left the world; a planner of their task's section `reset` says
who acts next.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from rich.console import Console

from serl_actor.environment import make_environment
from serl_actor.evaluation import EvaluationResult, evaluate, evaluate_turns
from serl_actor.judged import FINAL, JudgedEnvironment
from serl_actor.latest_policy import check_fits
from serl_actor.planned_reset import PlannedReset
from serl_actor.reset import DEFAULT_AGENT, ResetPlanner
from serl_bringup.keys import FAILURE, SPACE, listening
from serl_bringup.robot import robot_of
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import Task, load_task
from serl_bringup.video import film_policy, film_turns
from serl_learner.checkpoint import REWARD_FILE
from serl_learner.config import ConfigError, expect
from serl_learner.policy import Policy, from_bytes
from serl_learner.reward import Reward
from serl_reward.human_reward import HumanReward
from serl_reward.rewards import make_reward


@dataclass(frozen=True)
class Trained:
    """An agent with at least one checkpoint."""

    task: Task
    folder: RunFolder

    def policy(self) -> Policy:
        """That of the newest checkpoint."""
        path = self.folder.latest_policy()
        try:
            return from_bytes(path.read_bytes())
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None

    def judge(self) -> Reward | None:
        """The reward that is not the environment's own.

        None where it is a person's and a simulation knows better, or a classifier's that this run
        never trained: then the environment's word has to do.
        """
        source, learned = self.task.reward.source, None
        if source == "vice":
            learned = self.folder.latest_policy().with_name(REWARD_FILE)
        knows = source == "environment" or (source == "human" and not self.task.needs_robot)
        if knows or (learned and not learned.is_file()):
            return None
        return make_reward(self.task.reward, self.task.vice, learned)


DRIVEN = ("scripted", "person")  # reset.source of one agent on a robot

Agents = dict[str, Trained]  # by name; of a run of one agent, that one


def open_agents(folder: RunFolder, overrides: dict[str, Any]) -> Agents:
    """The agents of a run's folder, their tasks changed as `overrides` say."""
    own = {name: RunFolder.open(folder.path / name) for name in folder.agents()}
    return {
        name: Trained(_with_kept_files(each, overrides), each)
        for name, each in (own or {DEFAULT_AGENT: folder}).items()
    }


def _with_kept_files(folder: RunFolder, overrides: dict[str, Any]) -> Task:
    """The task with the files that its folder keeps, wherever that is by now."""
    kept = {
        "environment.locator": folder.locator,
        "reward.classifier.file": folder.classifier,
    }
    there = {key: str(file) for key, file in kept.items() if file.is_file()}
    return load_task(str(folder.config), overrides=there | overrides)


def assess(
    agents: Agents, episodes: int, seed: int, console: Console
) -> dict[str, EvaluationResult]:
    """Of each agent. Several make `episodes` turns each on average; who had none is left out."""
    torch.set_num_threads(1)  # as an actor: beside a training, more would wait for each other
    policies = {name: agent.policy() for name, agent in agents.items()}
    with _maker(agents, seed, console) as make, closing(make()) as environment:
        for policy in policies.values():
            check_fits(policy, environment)
        if len(policies) > 1:
            return evaluate_turns(environment, policies, episodes * len(policies), seed)
        return {name: evaluate(environment, p, episodes, seed) for name, p in policies.items()}


def film(agents: Agents, path: Path, seed: int, console: Console) -> None:
    """Five episodes at most, or six turns."""
    policies = {name: agent.policy() for name, agent in agents.items()}
    with _maker(agents, seed, console) as make:
        if len(policies) > 1:
            film_turns(make, policies, path, seed, console)
        else:
            film_policy(make, *policies.values(), path, seed, console)


def figures(evaluation: EvaluationResult) -> dict[str, Any]:
    """As result.json has them."""
    low, high = evaluation.success_interval
    errors = evaluation.errors
    return {
        "evaluation_episodes": evaluation.episodes,
        "success_rate": evaluation.success_rate,
        "success_interval_95": [round(low, 4), round(high, 4)],
        "cycle_time_s": evaluation.cycle_time_s,
        "mean_return": evaluation.mean_return,
        "evaluation_rescues": evaluation.rescues,
        "reward_errors": asdict(errors) if errors else None,
    }


def together(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What result.json of a run of several agents has of each one's."""
    rates = [result["success_rate"] for result in results.values()]
    known = [rate for rate in rates if rate is not None]  # one that always fails keeps its turn
    return {"success_rate": min(known, default=None), "agents": results}  # it takes all of them


def _first(agents: Agents) -> Task:
    """The task whose environment is that of all."""
    return next(iter(agents.values())).task.in_simulation()


@contextmanager
def _maker(agents: Agents, seed: int, console: Console) -> Iterator[Callable[..., gym.Env]]:
    """Makes their environment, with their rewards, while this is open; takes `render_mode`.

    Its robot runs, and where a person puts back or judges, their keys are heard.
    """
    first = _first(agents)
    judges = {name: judge for name, agent in agents.items() if (judge := agent.judge())}
    alone, source = len(agents) == 1, first.reset.source
    resets = planner = None
    if not alone or first.needs_robot:
        drives = "scripted or person, where a robot that is real drives for one agent"
        expect(not alone or source in DRIVEN, "reset.source", drives, source)
        planner = ResetPlanner(first.reset, seed)
        heard = {} if alone else judges
        resets = partial(PlannedReset, planner=planner.plan, judges=heard, say=console.print)
    judged = None
    if judges:
        judge = next(iter(judges.values())) if alone else judges
        sources = {agent.task.reward.source for agent in agents.values()}
        confirms = resets is not None and first.reset.lets_go and not sources & FINAL
        judged = partial(JudgedEnvironment, judge=judge, confirms=confirms)
    with ExitStack() as stack:
        stack.enter_context(robot_of(first))
        people = [judge for judge in judges.values() if isinstance(judge, HumanReward)]
        if people:
            console.print("press SPACE for a success, F for a failure")
        if planner is not None and (people or source == "person"):  # a simulation asks nobody
            stack.enter_context(listening(partial(_hear, people, planner)))
        yield partial(make_environment, first.environment, resets=resets, judged=judged)


def _hear(people: list[HumanReward], planner: ResetPlanner, keys: bytes) -> None:
    for key in keys:
        if key in SPACE or key in FAILURE:
            for reward in people:
                reward.label(key in SPACE)
        if key in SPACE:
            planner.confirm()

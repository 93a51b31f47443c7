"""The actor as a ROS 2 node: its loop between an environment, logs and learners."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from rclpy.node import Node

from serl_actor.actor import Actor, ActorConfig
from serl_actor.actor_diagnostics import PaceDiagnostic, faults
from serl_actor.agent_link import AgentLink
from serl_actor.body_publisher import BodyPublisher, has_bodies
from serl_actor.devices import intervening
from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.intervention import InterventionConfig
from serl_actor.judged import FINAL, JudgedEnvironment
from serl_actor.planned_reset import PlannedReset
from serl_actor.reset import ResetConfig
from serl_actor.reset_client import ResetClient
from serl_actor.reward_client import RewardClient
from serl_learner.diagnostics import Diagnostic, Diagnostics
from serl_learner.parameters import read_agents, read_run, read_section
from serl_learner.run_node import claim_role, run_node


class ActorNode(Node):
    """One actor; its name is the node's.

    Its namespace is its agent. Of several agents, one per key of the parameters' section `agents`,
    its namespace is the root, each has a folder of its own in the run's, and transitions of
    "TASK/AGENT".
    """

    def __init__(self, name: str = "actor", namespace: str = "agent", **options):
        self._resources = ExitStack()  # closed in destroy_node
        options |= {"automatically_declare_parameters_from_overrides": True}
        super().__init__(name, namespace=namespace, **options)
        try:
            self._set_up()
        except BaseException:
            self.destroy_node()  # nobody else has this node yet
            raise

    def _set_up(self) -> None:
        task, self._run = read_run(self)
        self._config = read_section(self, "actor", ActorConfig)
        self._agents = read_agents(self)
        self._is_team = self.get_namespace() == "/"
        self._stop = threading.Event()
        self._environment = self._make_environment()
        self._resources.callback(self._environment.close)
        name, directory = self.get_name(), Path(self._run.directory)
        self._claims = [
            claim_role(self, f"an actor '{name}'", f"/{agent}/transitions", name)
            for agent in self._agents
        ]
        self._links: list[AgentLink] = []
        for agent in self._agents:
            own = (f"{task}/{agent}", directory / agent) if self._is_team else (task, directory)
            link = AgentLink(
                self, agent, *own, self._config, self._environment, lambda: self._stop.is_set()
            )
            self._resources.callback(link.close)
            self._links.append(link)
        self._actor: Actor | None = None  # while it runs
        self._pace = PaceDiagnostic()
        Diagnostics(self, name, self._environment.unwrapped.spec.id, self._diagnose)
        self._watchers = []
        if has_bodies(self._environment):
            bodies = BodyPublisher(self, self._environment.unwrapped.body_poses)
            self._watchers.append(lambda _: bodies.publish())

    def _make_environment(self) -> gym.Env:
        judges = {
            agent: RewardClient(self, agent)
            for agent, sections in self._agents.items()
            if sections.get("reward", {}).get("source", "environment") != "environment"
        }

        def ready() -> None:
            for judge in judges.values():
                judge.ready()

        # Of an only agent, a reset need not say that it acts.
        judge = judges if self._is_team else next(iter(judges.values()), None)
        reset = read_section(self, "reset", ResetConfig)
        sources = {sections.get("reward", {}).get("source") for sections in self._agents.values()}
        confirms = reset.lets_go and not sources & FINAL
        judged = resets = None
        if judges:
            judged = partial(JudgedEnvironment, judge=judge, ready=ready, confirms=confirms)
        if reset.source != "environment":
            resets = partial(
                PlannedReset,
                planner=ResetClient(self),
                judges=judges,
                say=self.get_logger().warning,
                stop=lambda: self._stop.is_set(),
            )
        config = read_section(self, "environment", EnvironmentConfig)
        helper = read_section(self, "intervention", InterventionConfig)
        device = intervening(helper, config, self, self._run.seed)
        return make_environment(config, resets=resets, judged=judged, device=device)

    def run(self, stop: threading.Event) -> None:
        """Acts up to the last step, then stays until the learners have everything."""
        self._stop = stop
        torch.set_num_threads(1)  # the learners need the other cores
        first = sum(link.steps for link in self._links)
        torch.manual_seed(np.random.SeedSequence([self._run.seed, first]).generate_state(1)[0])
        self._actor = Actor(
            self._environment,
            [link.agent(self._watchers) for link in self._links],
            self._config,
            actor=self.get_name(),
            seed=self._run.seed,
            say=self.get_logger().error,
        )
        self._actor.run(stop.is_set)
        for link in self._links:
            learner = self._agents[link.name].get("learner", {})
            link.finish(paced=not learner.get("free_running", False))

    def _diagnose(self) -> Iterator[Diagnostic]:
        if self._actor is not None:
            yield self._pace.look(self._actor.pulse)
            yield faults(self._actor.pulse)
        for link in self._links:
            yield link.diagnose(f"policy of {link.name}" if self._is_team else "policy")
        # An environment may tell more of what it drives.
        diagnose = getattr(self._environment.unwrapped, "diagnose", tuple)
        yield from diagnose()

    def destroy_node(self) -> None:
        """Called when no callback can come any more."""
        try:
            self._resources.close()
        finally:
            super().destroy_node()


def main() -> None:
    sys.exit(run_node(ActorNode))


if __name__ == "__main__":
    main()

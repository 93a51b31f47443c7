"""A training run: one agent, or several that take turns in one world."""

from dataclasses import dataclass

from serl_bringup.progress import Progress
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import Task


@dataclass(frozen=True)
class AgentRun:
    """One agent's part of a run."""

    name: str  # namespace of its nodes
    task: Task
    folder: RunFolder
    progress: Progress


@dataclass(frozen=True)
class Run:
    """A folder and its agents: an only one in it, several in a folder each below it."""

    task: str
    folder: RunFolder
    agents: tuple[AgentRun, ...]

    @property
    def is_team(self) -> bool:
        return len(self.agents) > 1

    @property
    def max_steps(self) -> int:
        return self.agents[0].task.actor.max_steps

    @property
    def env_steps(self) -> int:
        return sum(agent.progress.env_steps for agent in self.agents)

    @property
    def episodes(self) -> int:
        return sum(agent.progress.episodes for agent in self.agents)

    @property
    def rescues(self) -> int:
        return sum(agent.progress.rescues for agent in self.agents)

    @property
    def robot_minutes(self) -> float:
        return sum(agent.progress.robot_minutes for agent in self.agents)

    @property
    def wall_minutes(self) -> float:
        return max(agent.progress.wall_minutes for agent in self.agents)

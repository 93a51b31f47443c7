"""How an episode starts: what the reset agent plans (SERL, section 4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from scipy.spatial.transform import Rotation

from serl_actor.reset_path import Stroke, plan_path
from serl_learner.config import expect
from serl_learner.transition import Observation

SOURCES = ("environment", "scripted", "person", "agents")
DEFAULT_AGENT = "agent"  # of a run that names none


@dataclass(frozen=True)
class ResetConfig:
    """Who resets, and to where. Poses are the tool's in the robot's base frame."""

    # environment: resets itself; scripted: the arm alone; person: puts back and confirms, then as
    # scripted; agents: take turns, each undoes what the one before has done.
    source: str = "environment"
    start_pose: tuple[float, ...] = ()  # (7,) m, quaternion x-y-z-w; empty: from where the arm is
    random_xy: float = 0.0  # m, starts are uniform within +- this about start_pose
    random_rz: float = 0.0  # rad, likewise, about the base z axis
    lift: float = 0.05  # m, straight up before anything else
    linear_speed: float = 0.25  # m/s, peak
    angular_speed: float = 1.0  # rad/s, peak
    gripper: float | None = None  # opening before the lift, 0 closed to 1 open; none: as it is
    agents: tuple[str, ...] = ()  # in turn
    # Where an object lies as it was left, it may lie where an agent fails for ever. After each
    # failure the tool first goes through it: so many strokes of that agent; 0: it does not.
    stir_count: int = 0
    # (agents * 4 n,) m: from x, y to x, y; for each agent in turn, where it finds what it moves
    stir_strokes: tuple[float, ...] = ()
    stir_height: float | None = None  # m, z of the tool in them

    def __post_init__(self) -> None:
        expect(self.source in SOURCES, "source", f"one of {', '.join(SOURCES)}", self.source)
        for name in ("random_xy", "random_rz", "lift"):
            expect(getattr(self, name) >= 0.0, name, "at least 0", getattr(self, name))
        for name in ("linear_speed", "angular_speed"):
            expect(getattr(self, name) > 0.0, name, "above 0", getattr(self, name))
        opening = self.gripper
        expect(opening is None or 0.0 <= opening <= 1.0, "gripper", "0 to 1", opening)
        agents = list(self.agents)
        distinct = all(agents) and len(set(agents)) == len(agents)
        expect(distinct, "agents", "distinct names", agents)
        enough = self.source != "agents" or len(agents) >= 2
        expect(enough, "agents", "2 or more for source: agents", agents)
        self._check_start()
        self._check_stirring()

    @property
    def lets_go(self) -> bool:
        """Whether what was achieved stays when the arm is driven away."""
        if self.source == "environment":
            return False
        return self.source == "agents" or self.gripper is not None

    def _check_start(self) -> None:
        pose = list(self.start_pose)
        if pose:
            good = len(pose) == 7 and abs(np.linalg.norm(pose[3:]) - 1.0) < 0.01
            expect(good, "start_pose", "x, y, z (m) and a unit quaternion x-y-z-w", pose)
            return
        expect(self.source != "scripted", "start_pose", "one for source: scripted", "none")
        random = self.random_xy > 0.0 or self.random_rz > 0.0
        expect(not random, "start_pose", "one, with random_xy or random_rz about it", "none")

    def _check_stirring(self) -> None:
        count, agents, numbers = self.stir_count, max(len(self.agents), 1), len(self.stir_strokes)
        expected = f"4 numbers for each, as many for each of {agents} agents"
        expect(numbers % (4 * agents) == 0, "stir_strokes", expected, f"{numbers} numbers")
        most = numbers // (4 * agents)
        expect(0 <= count <= most, "stir_count", f"0 to {most}, an agent's strokes", count)
        if count > 0:
            driven = self.source == "agents" and self.start_pose
            expect(driven, "stir_count", "0 without start_pose and source: agents", count)
            expect(self.stir_height is not None, "stir_height", "one, with strokes", "none")


class ResetKind(IntEnum):
    """As in serl_msgs/PlanReset."""

    WAYPOINTS = 0
    CONFIRM = 1
    SWITCH_AGENT = 2


@dataclass(frozen=True)
class ResetRequest:
    agent: str  # that acted last; empty at the beginning of a run
    driven: bool  # the way-points of the plan before have been driven, and nobody has acted since
    observation: Observation  # the newest, base frame
    solved: tuple[str, ...]  # agents whose reward holds it to be a success


@dataclass(frozen=True)
class ResetPlan:
    kind: ResetKind
    agent: str = ""  # that acts next; empty: ask again
    # (n, 8): time (s, above 0, grows), position (m), quaternion x-y-z-w
    waypoints: np.ndarray = field(default_factory=lambda: np.empty((0, 8)))
    gripper: float | None = None  # opening before the drive; None: it stays as it is
    message: str = ""  # one line, for a person


class ResetPlanner:
    """Plans resets as configured. It remembers nothing but whether a person has confirmed."""

    def __init__(self, config: ResetConfig, seed: int):
        planned = config.source != "environment"
        expect(planned, "reset.source", "one that is planned", config.source)
        self._config = config
        self._random = np.random.default_rng(seed)
        self._asked = self._confirmed = False

    def confirm(self) -> None:
        """A person has put back what has to be. Counts only while that is being asked for."""
        self._confirmed = self._asked

    def plan(self, request: ResetRequest) -> ResetPlan:
        """Raises ValueError, one line, where the request does not tell where the tool is."""
        match self._config.source:
            case "agents":
                return self._agents(request)
            case "person":
                return self._person(request)
            case _:
                return self._drive(request, self._same(request))

    def _person(self, request: ResetRequest) -> ResetPlan:
        if not self._confirmed:
            self._asked = True
            return ResetPlan(ResetKind.CONFIRM, message="put it back, then press SPACE")
        self._asked = self._confirmed = False
        if self._config.start_pose:
            return self._drive(request, self._same(request))
        return self._switch(request, self._same(request), "confirmed")

    def _agents(self, request: ResetRequest) -> ResetPlan:
        if self._config.start_pose and not request.driven:
            return self._drive(request, "", self._strokes(request))
        agent, why = self._choose(request.agent, request.solved)
        return self._switch(request, agent, why)

    def _switch(self, request: ResetRequest, agent: str, why: str) -> ResetPlan:
        gripper = None if request.driven else self._config.gripper
        return ResetPlan(ResetKind.SWITCH_AGENT, agent, gripper=gripper, message=why)

    def _same(self, request: ResetRequest) -> str:
        return request.agent or (*self._config.agents, DEFAULT_AGENT)[0]

    def _choose(self, last: str, solved: tuple[str, ...]) -> tuple[str, str]:
        """The agent that acts next, and why."""
        agents = self._config.agents
        expect(last in ("", *agents), "agent", f"one of {', '.join(agents)}, or none", last)
        behind = agents.index(last) + 1 if last else 0
        in_turn = agents[behind:] + agents[:behind]  # the one that acted last is the last of them
        left = [agent for agent in in_turn if agent not in solved]
        if not left:
            return in_turn[0], f"{in_turn[0]} begins, everything is solved"
        if len(left) < len(in_turn):
            done = ", ".join(agent for agent in agents if agent in solved)
            return left[0], f"{left[0]} begins, solved: {done}"
        first = last or in_turn[0]
        return first, f"{first} begins, nothing is solved"

    def _drive(
        self, request: ResetRequest, agent: str, strokes: Sequence[Stroke] = ()
    ) -> ResetPlan:
        config, measured = self._config, _measured(request.observation)
        speeds = config.linear_speed, config.angular_speed
        waypoints = plan_path(measured, self._random_start(), config.lift, *speeds, strokes)
        failed = f" through what {request.agent} has failed at" if strokes else ""
        message = f"drives{failed} to the start"
        return ResetPlan(ResetKind.WAYPOINTS, agent, waypoints, config.gripper, message)

    def _strokes(self, request: ResetRequest) -> list[Stroke]:
        """After a failure, some of the agent's, each from its begin into its second half."""
        agents, count = self._config.agents, self._config.stir_count
        if request.agent not in agents or request.agent in request.solved or count == 0:
            return []
        of_each = np.reshape(self._config.stir_strokes, (len(agents), -1, 2, 2))
        chosen = self._random.permutation(of_each[agents.index(request.agent)])[:count]
        left_out = self._random.uniform(0.0, 0.5, (count, 1))
        chosen[:, 1] -= left_out * (chosen[:, 1] - chosen[:, 0])
        return [(self._stirring(begin), self._stirring(end)) for begin, end in chosen]

    def _stirring(self, place: np.ndarray) -> np.ndarray:  # (2,) -> (7,)
        return np.array([*place, self._config.stir_height, *self._config.start_pose[3:]])

    def _random_start(self) -> np.ndarray:
        """(7,): start_pose, moved and turned at random."""
        config = self._config
        position = np.array(config.start_pose[:3])
        position[:2] += self._random.uniform(-config.random_xy, config.random_xy, 2)
        angle = self._random.uniform(-config.random_rz, config.random_rz)
        turn = Rotation.from_rotvec([0.0, 0.0, angle])
        rotation = turn * Rotation.from_quat(config.start_pose[3:])
        return np.concatenate([position, rotation.as_quat()])


def _measured(observation: Observation) -> np.ndarray:
    """(7,), float64."""
    pose = np.asarray(observation.get("pose", ()), dtype=np.float64)
    good = pose.shape == (7,) and np.isfinite(pose).all() and np.linalg.norm(pose[3:]) > 0.5
    expect(good, "observation.pose", "x, y, z (m) and a unit quaternion x-y-z-w", pose.tolist())
    return pose

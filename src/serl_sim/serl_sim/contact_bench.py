"""What a law does in free space and at a hard wall: an arm with a hard tip, moved along one line.

Speed, step response, pressing, impact and rebound, for our law and for SERL's, at equal gains.
"""

from typing import NamedTuple

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from franka_impedance_controller import Gains, ImpedanceController, SerlController

from .arms import TOOL_FRAME, Arm, HeldObject, arm_spec, arm_urdf
from .geometry import to_wxyz
from .robot import DT, Pose, SimulatedRobot

LAWS = {"ours": ImpedanceController, "serl": SerlController}
DIRECTIONS = ("+x", "-x", "+y", "-y", "+z", "-z")
TOOL_DOWN = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])
CENTER = np.array([0.5, 0.0, 0.3])  # m, base frame: where the wall is touched

COMMAND_PERIOD = 100  # ticks: actions at 10 Hz
ACTION = 0.02  # m: SERL's full action for insertion, 0.2 m/s
MAX_LEAD = 0.12  # m: our law refuses targets further away
_APPROACH = 0.25  # m/s^2 to get to a speed: every gain set has the force for it

WALL_STIFFNESS = 1e6  # N/m: a steel tip on steel, less what gripper and fingers give way
WALL_DAMPING = 200.0  # Ns/m: gives back some four fifths of the speed
_SUBSTEPS = 10  # of the physics per tick before a wall: 0.1 ms, where a touch takes 5 ms
_TIP = HeldObject(mass=0.05, size=(0.016, 0.016, 0.06), tip=0.03, grip_width=0.016)
_TIP_RADIUS = 0.005


class Tick(NamedTuple):
    """One millisecond, along the bench's direction, from its start."""

    target: float  # m
    position: float  # m, of the tool
    velocity: float  # m/s
    force: float  # N, of the wall on the tip, the largest of the tick


class ContactBench:
    """The tool at rest, to be moved along `direction`; a wall `gap` m before it, or none.

    Contact: one point without friction, a spring and damper that push only.
    """

    def __init__(
        self,
        arm: Arm,
        gains: Gains,
        direction: str,
        *,
        law: str = "ours",
        start: float = 0.0,
        gap: float = np.inf,
        wall_stiffness: float = WALL_STIFFNESS,
    ):
        """`start` is m from `CENTER` along `direction`."""
        self.arm, self.gains, self.direction = arm, gains, direction
        self.axis = "xyz".index(direction[1])
        self.along = np.eye(3)[self.axis] * (1.0 if direction[0] == "+" else -1.0)
        self.start = CENTER + start * self.along
        self.urdf = arm_urdf(arm, _TIP)
        self._substeps = _SUBSTEPS if np.isfinite(gap) else 1
        self.robot = SimulatedRobot(self._model(gap, wall_stiffness), arm, self._controller(law))
        self.robot.step_physics = self._step_physics
        self.robot.reset(Pose(self.start, TOOL_DOWN))
        self.ticks: list[Tick] = []
        self._target, self._force = 0.0, 0.0
        self._site = self.robot.model.site(TOOL_FRAME).id

    def _controller(self, law: str) -> ImpedanceController | SerlController:
        return LAWS[law](self.urdf, list(self.arm.joint_names), TOOL_FRAME, self.gains, DT)

    def _model(self, gap: float, stiffness: float) -> mujoco.MjModel:
        spec = arm_spec(self.urdf, self.arm)
        spec.option.timestep = DT / self._substeps
        apart = {"contype": 0, "conaffinity": 0}  # they meet as the pair below alone
        sphere = {"type": mujoco.mjtGeom.mjGEOM_SPHERE, "size": [_TIP_RADIUS, 0, 0]}
        tool = spec.body(TOOL_FRAME)
        tool.add_geom(name="tip", mass=0.0, **sphere, **apart)
        tool.add_site(name="touch", type=sphere["type"], size=[2 * _TIP_RADIUS, 0, 0])
        spec.add_sensor(
            type=mujoco.mjtSensor.mjSENS_TOUCH,
            objtype=mujoco.mjtObj.mjOBJ_SITE,
            objname="touch",
        )
        if np.isfinite(gap):
            normal, _ = Rotation.align_vectors([-self.along], [[0.0, 0.0, 1.0]])
            spec.worldbody.add_geom(
                name="wall",
                type=mujoco.mjtGeom.mjGEOM_PLANE,
                size=[0.5, 0.5, 0.1],
                pos=self.start + (gap + _TIP_RADIUS) * self.along,
                quat=to_wxyz(normal.as_quat()),
                **apart,
            )
            # With an impedance near zero a contact is the plain spring and damper of `solref`.
            spec.add_pair(geomname1="tip", geomname2="wall", condim=1, solimp=[1e-3] * 3 + [0.5, 2])
        model = spec.compile()
        inverse_mass = model.body_invweight0[model.geom("tip").bodyid[0], 0]  # which it scales by
        model.pair_solref[:] = -np.array([stiffness, WALL_DAMPING]) * inverse_mass
        return model

    def _step_physics(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._force = 0.0
        for _ in range(self._substeps):
            mujoco.mj_step(model, data)
            self._force = max(self._force, data.sensordata[0])

    @property
    def position(self) -> float:
        return float((self.robot.data.site_xpos[self._site] - self.start) @ self.along)

    @property
    def velocity(self) -> float:
        return float(self.robot.twist[:3] @ self.along)

    @property
    def kinetic_energy(self) -> float:
        """J, of the whole arm."""
        momentum = np.empty(self.robot.model.nv)
        mujoco.mj_mulM(self.robot.model, self.robot.data, momentum, self.robot.data.qvel)
        return float(momentum @ self.robot.data.qvel / 2)

    @property
    def static_force(self) -> float:
        """Stiffness times clip, N: what the law may press with at rest in this direction."""
        clip = self.gains.clip_positive if self.along.sum() > 0 else self.gains.clip_negative
        return float(self.gains.stiffness[self.axis] * clip[self.axis])

    def command(self, target: float) -> None:
        """The target's distance from the start, m, but at most `MAX_LEAD` before the tool."""
        target = self._target = min(target, self.position + MAX_LEAD)
        self.robot.set_target(Pose(self.start + target * self.along, TOOL_DOWN))

    def tick(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            self.robot.run(1)
            self.ticks.append(Tick(self._target, self.position, self.velocity, self._force))

    def take_over(self, law: str) -> None:
        """Another law drives on from here."""
        robot = self.robot
        robot.controller = self._controller(law)
        robot.law_update = robot.controller.update
        robot.controller.activate(robot.data.qpos, robot.data.qvel)

    def knock(self, velocity: float) -> None:
        """Adds a velocity of the tool along the direction, m/s, as a blow would."""
        data, jacobian = self.robot.data, np.empty((6, self.robot.model.nv))
        mujoco.mj_jacSite(self.robot.model, data, jacobian[:3], jacobian[3:], self._site)
        data.qvel += np.linalg.pinv(jacobian)[:, :3] @ (velocity * self.along)
        mujoco.mj_forward(self.robot.model, data)

    def columns(self) -> Tick:
        """All ticks so far as arrays (n,)."""
        return Tick(*np.array(self.ticks).T)


def free_run(arm: Arm, gains: Gains, direction: str, *, law: str, measured: bool) -> float:
    """Speed over 1.2 s as a share of the commanded one, after 0.3 s to get going.

    `measured`: steps from the measured pose, as an environment commands them; else from the
    previous target.
    """
    bench = ContactBench(arm, gains, direction, law=law, start=-0.15)
    target = 0.0
    for _ in range(15):
        target = (bench.position if measured else target) + ACTION
        bench.command(target)
        bench.tick(COMMAND_PERIOD)
    position = bench.columns().position
    return float((position[-1] - position[299]) / (12 * ACTION))


class StepResponse(NamedTuple):
    overshoot: float  # share of the step
    settling_s: float  # until it stays within 5 % of the step


def step_response(arm: Arm, gains: Gains, direction: str, step: float, *, law: str) -> StepResponse:
    """One step of `step` m from rest, its target sent again at 10 Hz, for 1 s."""
    bench = ContactBench(arm, gains, direction, law=law)
    for _ in range(10):
        bench.command(step)
        bench.tick(COMMAND_PERIOD)
    share = bench.columns().position / step
    off = np.flatnonzero(np.abs(share - 1.0) > 0.05)
    return StepResponse(float(share.max() - 1.0), float((off[-1] + 1) * DT))


class Press(NamedTuple):
    static_force: float  # N, mean of the last 0.5 s
    ripple: float  # N, between the largest and the smallest of that time
    speed: float  # m/s, the largest of that time
    bound: float  # N, stiffness times clip


def press(arm: Arm, gains: Gains, direction: str, *, law: str = "ours") -> Press:
    """Full actions into a wall 5 mm away, for 3 s."""
    bench = ContactBench(arm, gains, direction, law=law, start=-0.005, gap=0.005)
    for _ in range(30):
        bench.command(bench.position + ACTION)
        bench.tick(COMMAND_PERIOD)
    end = bench.ticks[-500:]
    force = np.array([tick.force for tick in end])
    speed = max(abs(tick.velocity) for tick in end)
    return Press(float(force.mean()), float(np.ptp(force)), speed, bench.static_force)


class Impact(NamedTuple):
    speed: float  # m/s, before the touch
    peak: float  # N
    standing: float  # N, mean of the last 0.1 s


def impact(
    arm: Arm,
    gains: Gains,
    direction: str,
    speed: float,
    *,
    law: str,
    carried: bool = False,
    wall_stiffness: float = WALL_STIFFNESS,
) -> Impact | None:
    """A target that moves on at `speed` through the wall. None: the tool did not get there in time.

    `carried`: our law brings the tool to the wall and `law` takes over in the tick of the touch,
    for speeds that it cannot reach itself.
    """
    gap = speed**2 / (2 * _APPROACH) + 0.3 * speed
    first = "ours" if carried else law
    bench = ContactBench(
        arm, gains, direction, law=first, start=-gap, gap=gap, wall_stiffness=wall_stiffness
    )
    limit = int((speed / _APPROACH + 1.3) / DT)  # a second more than the target takes
    target, touch = 0.0, None
    while touch is None or len(bench.ticks) < touch + 400:
        if touch is None and len(bench.ticks) >= limit:
            return None
        if carried and gap - bench.position <= bench.velocity * DT:
            bench.take_over(law)
            carried = False
        target += min(speed, _APPROACH * DT * len(bench.ticks)) * DT
        bench.command(target)
        bench.tick()
        if touch is None and bench.ticks[-1].force > 0.0:
            touch = len(bench.ticks) - 1
    force = bench.columns().force
    return Impact(bench.ticks[touch - 1].velocity, float(force.max()), float(force[-100:].mean()))


def own_speed(gains: Gains, direction: str) -> float:
    """m/s at which SERL's damping takes up all of stiffness times clip: its law goes no faster."""
    bound = gains.clip_positive if direction[0] == "+" else gains.clip_negative
    axis = "xyz".index(direction[1])
    return float((gains.stiffness * bound / gains.damping)[axis])


def with_clip_for(gains: Gains, speed: float) -> Gains:
    """`gains` with the translation's clips opened until SERL's law reaches `speed` (m/s)."""
    needed = np.zeros(6)
    needed[:3] = 1.1 * (gains.damping * speed / gains.stiffness)[:3]
    names = [name for name in dir(gains) if not name.startswith("_")]
    values = {name: getattr(gains, name) for name in names}
    for name in ("clip_positive", "clip_negative"):
        values[name] = np.maximum(values[name], needed)
    return Gains(**values)


def spring_energy(error: np.ndarray, gains: Gains) -> float:
    """J stored in the clipped springs at `error` (6,): what they can do on the way to zero.

    Parabolas up to the clip, straight lines beyond, where the force no longer grows.
    """
    clip = np.where(error > 0, gains.clip_positive, gains.clip_negative)
    inside = np.minimum(np.abs(error), clip)
    return float((gains.stiffness * inside * (np.abs(error) - inside / 2)).sum())


class Rebound(NamedTuple):
    knock: float  # m/s, given to the tool, away from the wall
    knock_j: float  # J, the arm's kinetic energy then
    touches: tuple[float, ...]  # m/s, speed at each touch after it
    delivered_j: float  # J, the largest that the law did in any stretch of time
    surplus_j: float  # J, the largest that it did beyond what the springs gave up in that time
    excess_w: float  # W, the largest power into one axis beyond stiffness * clip * speed


def rebound(arm: Arm, gains: Gains, direction: str, *, speed: float = 0.15) -> Rebound:
    """Knocks the tool off a wall that it presses on: energy is only handed back and forth.

    The law without an integral is passive where its reference x_r rests. Per axis, with error
    e = x_r - x, speed v, stiffness K, clip c and damping D, its wrench is
    w = clamp(K e - D v, l(v), u(v)). For v >= 0 u(v) <= K c and l(v) = -K c - D v, so that
    w <= K clip(e); for v <= 0 w >= K clip(e):

        w v <= K clip(e) v = -dS/dt,    S = spring_energy(e).

    So in any stretch of time it does no more work than its springs give up, and
    S = K c (|e| - c / 2), at most K c |e|, bounds what it can ever do. Where the reference moves,
    w v <= K c |v| still holds: a moving reference feeds in no more than stiffness * clip * way.

    On the arm the torques reach the tool sampled, limited in rate, and with the null space's and
    the Coriolis torques beside them: `surplus_j` is what comes of that. It is taken from the
    motors' work, torque times the way of the joints within each tick.
    """
    bench = ContactBench(arm, gains, direction, gap=0.0)
    robot, controller = bench.robot, bench.robot.controller
    for _ in range(10):
        bench.command(0.05)
        bench.tick(COMMAND_PERIOD)
    bench.knock(-speed)
    kinetic = bench.kinetic_energy
    work, done, stored, excess = 0.0, [], [], []
    for tick in range(1000):
        if tick % COMMAND_PERIOD == 0:
            bench.command(0.05)
        before = robot.data.qpos.copy()
        bench.tick()
        state = controller.state
        turn = Rotation.from_quat(state.filtered[3:]) * Rotation.from_quat(state.pose[3:]).inv()
        error = np.append(state.filtered[:3] - state.pose[:3], turn.as_rotvec())
        clip = np.where(state.twist > 0, gains.clip_positive, gains.clip_negative)
        limit = gains.stiffness * clip * np.abs(state.twist)
        excess.append((state.wrench * state.twist - limit).max())
        stored.append(spring_energy(error, gains))  # as the tick begins
        done.append(work)
        work += robot.data.ctrl @ (robot.data.qpos - before)
    done, stored = np.array(done), np.array(stored)
    touching = np.array([tick.force for tick in bench.ticks[-1000:]]) > 0
    speeds = [tick.velocity for tick in bench.ticks[-1001:-1]]  # as each of those ticks begins
    touches = np.flatnonzero(touching[1:] & ~touching[:-1]) + 1
    return Rebound(
        speed,
        kinetic,
        tuple(speeds[i] for i in touches),
        _largest_rise(done),
        _largest_rise(done + stored),
        float(max(excess)),
    )


def _largest_rise(values: np.ndarray) -> float:
    """From any value to any later one."""
    return float((values - np.minimum.accumulate(values)).max())

"""Broken cameras: what is told, and what becomes of the episode."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from test_actor_loop import Clock

from serl_actor.actor import Actor, ActorConfig, Agent
from serl_actor.cameras import FROZEN_FRAMES, CameraFault
from serl_actor.demonstrations import record
from serl_actor.environment import EnvironmentConfig, make_environment
from serl_actor.evaluation import evaluate
from serl_learner.codec import decode_transition, encode_transition
from serl_learner.config import ConfigError
from serl_learner.transition import ObservationSpec

CAMERAS = "test/Cameras-v0"
SHAPE = (4, 6, 3)
STEP = 0.002  # m of a full action: three go by before a frozen image is one of a moved tool
FORWARD = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
REST = np.zeros(6)


class CameraEnv(gym.Env):
    """A tool with two cameras, whose pictures show where it is; solved at the fourth step.

    `broken` maps the number of an observation, counted over episodes from 0, to what is then put
    into it: a function of the camera's picture, or None for no entry.
    """

    def __init__(self, broken=None, pose=True, ages=None, solved_at=4):
        self.with_pose, self.ages, self.solved_at = pose, ages or {}, solved_at
        vectors = {"pose": spaces.Box(-np.inf, np.inf, (7,), np.float32)} if pose else {}
        images = {name: spaces.Box(0, 255, SHAPE, np.uint8) for name in ("wrist_1", "wrist_2")}
        self.observation_space = spaces.Dict(vectors | images)
        self.action_space = spaces.Box(-1.0, 1.0, (6,), np.float32)
        self.broken = broken or {}
        self.count = 0
        self.resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.resets += 1
        self.position, self.angle, self.steps = 0.1 * self.resets, 0.0, 0
        return self._observe()

    def step(self, action):
        self.steps += 1
        self.position += STEP * action[0]
        self.angle += np.deg2rad(3.0) * action[5]
        observation, info = self._observe()
        solved = self.steps == self.solved_at
        return observation, float(solved), solved, False, info | {"success": solved}

    def _observe(self):
        place = [round(1e6 * self.position), round(1e6 * self.angle)]
        picture = np.random.default_rng(place).integers(20, 256, SHAPE, np.uint8)
        half = self.angle / 2
        observation = {"wrist_1": picture, "wrist_2": picture.copy()}
        if self.with_pose:
            observation["pose"] = np.array(
                [self.position, 0, 0, 0, 0, np.sin(half), np.cos(half)], np.float32
            )
        change = self.broken.get(self.count, lambda picture: picture)
        observation["wrist_1"] = None if change is None else change(picture)
        info = {"image_age_s": self.ages[self.count]} if self.count in self.ages else {}
        self.count += 1
        return observation, info


gym.register(CAMERAS, CameraEnv, max_episode_steps=50)


def make(**arguments):
    return make_environment(EnvironmentConfig(CAMERAS, arguments=arguments))


class Constant:
    version = 7

    def __init__(self, action=FORWARD):
        self.action = np.asarray(action, np.float32)

    def begin_episode(self):
        pass

    def act(self, observation, deterministic=False):
        return self.action


class Run:
    """An actor, what it handed on and said, and its clock."""

    def __init__(self, environment, max_steps):
        self.transitions, self.episodes, self.said, self.clock = [], [], [], Clock()
        self.actor = Actor(
            environment,
            [
                Agent(
                    Constant(),
                    sinks=[self.transitions.append],
                    episode_sinks=[self.episodes.append],
                )
            ],
            ActorConfig(max_steps=max_steps),
            say=self.said.append,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def until(self, stop=lambda: False):
        self.actor.run(stop)
        return self


def black(picture):
    return np.full_like(picture, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, r"no image, expected uint8 \(4, 6, 3\)"),
        (black, "black: expected a pixel above 12, got 12 at most"),
        (lambda p: p[:2], r"expected uint8 \(4, 6, 3\), got uint8 \(2, 6, 3\)"),
        (lambda p: p / 255.0, r"expected uint8 \(4, 6, 3\), got float64 \(4, 6, 3\)"),
    ],
)
@pytest.mark.parametrize("at", [0, 2])
def test_a_broken_image_is_told_in_one_line_that_names_the_camera(change, message, at):
    environment = make(broken={at: change})
    with pytest.raises(CameraFault, match=f"^camera wrist_1: {message}$") as fault:
        environment.reset()
        for _ in range(3):
            environment.step(FORWARD)
    assert isinstance(fault.value, ConfigError)  # a process ends with this line and exit code 2


def test_an_image_that_is_missing_from_the_observation_is_told():
    environment = make()
    environment.reset()
    real = environment.unwrapped._observe
    environment.unwrapped._observe = lambda: ({"pose": real()[0]["pose"]}, {})
    with pytest.raises(CameraFault, match="camera wrist_1: no image"):
        environment.step(FORWARD)


def test_a_late_image_is_told():
    ages = {0: {"wrist_2": 0.25}, 1: {"wrist_1": 0.0, "wrist_2": 0.4}, 2: {"wrist_1": np.nan}}
    environment = make(ages=ages)
    environment.reset()
    message = "camera wrist_2: late: expected an image of at most 0.25 s, got one of 0.40 s"
    with pytest.raises(CameraFault, match=message):
        environment.step(FORWARD)
    with pytest.raises(CameraFault, match="camera wrist_1: late"):
        environment.step(FORWARD)


def frozen(picture):
    return np.full_like(picture, 50)


def steps_until_fault(environment, action, limit=45):
    """Steps up to the one that raised, and its message."""
    environment.reset()
    for step in range(1, limit + 1):
        try:
            environment.step(action)
        except CameraFault as fault:
            return step, str(fault)
    return None, ""


def test_an_image_that_stays_while_the_tool_moves_or_turns_is_frozen():
    broken = {n: frozen for n in range(1, 50)}  # from the first step on
    step, message = steps_until_fault(make(broken=broken, solved_at=0), FORWARD)
    assert step == 4  # 6 mm since the image appeared
    assert message == (
        "camera wrist_1: frozen: expected a new image while the tool moved 6 mm and 0 degrees, "
        "got the same"
    )
    step, message = steps_until_fault(make(broken=broken, solved_at=0), [0, 0, 0, 0, 0, 1])
    assert step == 2 and "0 mm and 3 degrees" in message
    step, _ = steps_until_fault(make(broken=broken, solved_at=0), 0.15 * FORWARD)
    assert step == 18  # however slowly it goes


def test_a_tool_at_rest_gives_the_same_images_without_alarm():
    assert steps_until_fault(make(solved_at=0), REST) == (None, "")


def test_where_the_pose_is_not_known_many_equal_frames_are_frozen():
    step, message = steps_until_fault(make(pose=False, solved_at=0), REST)
    assert step == FROZEN_FRAMES - 1
    assert message == "camera wrist_1: frozen: expected a new image within 20 frames"
    assert steps_until_fault(make(pose=False, solved_at=0), FORWARD) == (None, "")


def test_a_frozen_camera_is_noticed_at_the_reset_which_moves_the_tool():
    environment = make(broken={0: frozen, 1: frozen})
    environment.reset()
    with pytest.raises(CameraFault, match="frozen"):
        environment.reset()


def test_an_environment_may_reuse_its_arrays():
    picture = np.full(SHAPE, 100, np.uint8)
    environment = make(broken={n: lambda p: picture for n in range(50)}, solved_at=0)
    environment.reset()
    for _ in range(10):
        picture += 1
        environment.step(FORWARD)


def test_a_plain_image_is_watched_too():
    class Plain(gym.Env):
        observation_space = spaces.Box(0, 255, SHAPE, np.uint8)
        action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

        def reset(self, *, seed=None, options=None):
            return np.zeros(SHAPE, np.uint8), {}

    gym.register("test/Plain-v0", Plain, max_episode_steps=10)
    with pytest.raises(CameraFault, match="camera image: black"):
        make_environment(EnvironmentConfig("test/Plain-v0")).reset()


def test_a_fault_ends_the_episode_as_discarded_and_the_next_one_goes_on():
    # Observations 0 to 2 are good, the third step has none; then two whole episodes.
    run = Run(make(broken={3: black}), max_steps=11).until()
    transitions, episodes = run.transitions, run.episodes
    assert [t.sequence for t in transitions] == list(range(11))
    assert [t.episode for t in transitions] == [0] * 3 + [1] * 4 + [2] * 4
    assert [t.sequence for t in transitions if t.discarded] == [2]
    last = transitions[2]
    assert last.truncated and not last.terminated and not last.success and last.reward == 0.0
    np.testing.assert_array_equal(last.action, FORWARD.astype(np.float32))
    for name, value in last.observation.items():
        np.testing.assert_array_equal(last.final_observation[name], value)
    spec = ObservationSpec.from_observation(last.observation)
    for transition in transitions:
        transition.check(spec, 6)
    assert decode_transition(encode_transition(last)).discarded
    assert [(e.discarded, e.success, e.length) for e in episodes] == [
        (True, False, 3), (False, True, 4), (False, True, 4),
    ]  # fmt: skip
    assert run.said == [
        "camera wrist_1: black: expected a pixel above 12, got 12 at most; "
        "episode 0 is discarded at step 2"
    ]


def test_a_fault_in_the_first_step_still_makes_a_valid_episode():
    run = Run(make(broken={1: None}), max_steps=5).until()
    assert [t.discarded for t in run.transitions] == [True] + [False] * 4
    assert [e.length for e in run.episodes] == [1, 4]


def test_a_fault_at_the_reset_is_tried_again_until_it_is_gone():
    environment = make(broken={n: black for n in range(5)})
    run = Run(environment, max_steps=4).until()
    assert environment.unwrapped.resets == 6
    assert run.clock.now == 105.0  # once a second
    assert len(run.transitions) == 4 and not run.episodes[0].discarded
    assert run.episodes[0].reset_s == 5.0
    assert run.said == [
        "camera wrist_1: black: expected a pixel above 12, got 12 at most; tries again for 30 s",
        "works again after 5.0 s",
    ]


def test_a_camera_that_stays_broken_ends_the_run_after_30_s():
    environment = make(broken={n: black for n in range(1000)})
    run = Run(environment, max_steps=4)
    with pytest.raises(CameraFault, match=r"^camera wrist_1: black"):
        run.until()
    assert run.clock.now == 130.0 and environment.unwrapped.resets == 31
    assert not run.transitions and not run.episodes and len(run.said) == 1


def test_a_stop_ends_the_wait_for_a_camera():
    environment = make(broken={n: black for n in range(1000)})
    run = Run(environment, max_steps=4)
    run.until(lambda: run.clock.now >= 103.0)
    assert run.clock.now == 103.0
    assert not run.transitions and not run.episodes


def demonstrations(broken):
    """How many failed of two demonstrations, and their transitions."""
    config = EnvironmentConfig(CAMERAS, arguments={"broken": broken})
    transitions = []
    ahead = lambda environment: lambda observation: FORWARD  # noqa: E731
    failed = record(config, 2, 0, transitions.append, device=ahead)
    return failed, transitions


def test_a_demonstration_with_a_fault_is_dropped_but_is_no_failure(capsys):
    failed, transitions = demonstrations({2: black})
    assert failed == 0
    assert [t.episode for t in transitions] == [0] * 4 + [1] * 4
    assert not any(t.discarded for t in transitions)
    assert "camera wrist_1: black" in capsys.readouterr().err


def test_demonstrations_that_all_have_a_fault_end():
    with pytest.raises(ConfigError, match="got 0, then 20 failures in a row"):
        demonstrations({n: black for n in range(1, 1000, 2)})


def test_a_fault_ends_an_evaluation():
    with pytest.raises(CameraFault, match="camera wrist_1: black"):
        evaluate(make(broken={7: black}), Constant(), 3, seed=0)

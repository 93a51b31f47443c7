"""Where the time of an environment step goes: the law, the physics, the cameras."""

import time

import gymnasium as gym


class _Timed:
    """Wraps a callable and adds up the time spent in it, in seconds."""

    def __init__(self, function):
        self._function = function
        self.calls, self.seconds = 0, 0.0

    def __call__(self, *args):
        begin = time.perf_counter()
        result = self._function(*args)
        self.seconds += time.perf_counter() - begin
        self.calls += 1
        return result


def measure(env_id: str, steps: int, **arguments) -> dict[str, float]:
    """Speed, and the shares of law, MuJoCo and rendering in it, under random actions.

    Resets are included. The speed is measured first, without the clocks, which cost a tenth of it.
    """
    env = gym.make(env_id, **arguments)
    try:
        env.action_space.seed(0)
        steps_per_s = steps / _run(env, steps)

        robot, cameras = env.unwrapped.robot, env.unwrapped.cameras
        law = robot.law_update = _Timed(robot.law_update)
        physics = robot.step_physics = _Timed(robot.step_physics)
        if cameras is not None:
            cameras.render_one = _Timed(cameras.render_one)
        seconds = _run(env, steps)
        images = cameras.render_one if cameras is not None else _Timed(None)
    finally:
        env.close()
    return {
        "steps_per_s": steps_per_s,
        "law_share": law.seconds / seconds,
        "mujoco_share": physics.seconds / seconds,
        "render_share": images.seconds / seconds,
        "render_ms_per_image": 1e3 * images.seconds / images.calls if images.calls else 0.0,
    }


def _run(env: gym.Env, steps: int) -> float:
    """Seconds that `steps` steps take."""
    begin = time.perf_counter()
    env.reset(seed=0)
    for _ in range(steps):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            env.reset()
    return time.perf_counter() - begin

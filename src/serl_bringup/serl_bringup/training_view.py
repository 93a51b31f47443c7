"""A training on the viewer's page: what its nodes publish, as it is shown."""

import contextlib

from sensor_msgs.msg import MultiDOFJointState
from std_msgs.msg import Float32

from serl_actor.body_publisher import decode_bodies
from serl_actor.environment import make_environment
from serl_bringup.progress import Progress
from serl_bringup.run import Run
from serl_bringup.viewer import Moment, Viewer
from serl_learner.codec import decode_transition
from serl_msgs.msg import EpisodeSummary, LearnerStatus, Transition


class TrainingView:
    """The Monitor's watcher. Steps are counted as the run counts them, those of all agents."""

    def __init__(self, viewer: Viewer, run: Run):
        self._viewer = viewer
        self._steps = {agent.name: agent.progress.env_steps for agent in run.agents}
        self._is_team = run.is_team
        self._probabilities: dict[str, float] = {}  # by agent, of its newest step
        task = run.agents[0].task
        if not task.needs_robot:  # what a simulation looks like; the one that runs is elsewhere
            with contextlib.closing(make_environment(task.in_simulation().environment)) as example:
                viewer.scene(example)

    def transition(self, message: Transition) -> None:
        try:
            step = decode_transition(message)
        except ValueError:  # the learner says so
            return
        self._steps[step.agent] = step.sequence + 1
        moment = Moment(self._number, step.observation, step.action, step.reward)
        self._viewer.moment(moment)
        if step.agent in self._probabilities:
            self._viewer.probability(self._probabilities[step.agent])
        self._say(step.agent)

    def bodies(self, message: MultiDOFJointState) -> None:
        self._viewer.bodies(decode_bodies(message))

    def probability(self, agent: str, message: Float32) -> None:
        """Comes before the step that it judges; and of agents that do not act, after a reset."""
        self._probabilities[agent] = message.data

    def status(self, message: LearnerStatus) -> None:
        names = {"critic loss": "critic_loss", "Q": "q_mean", "updates per step": "utd_ratio"}
        values = {name: getattr(message, field) for name, field in names.items()}
        self._viewer.training(message.agent, self._number, values)

    def episode(self, message: EpisodeSummary, progress: Progress) -> None:
        """`progress`: of its agent, with this episode."""
        self._viewer.episode(message)
        outcome = ("return", progress.recent_return)
        if progress.has_success:
            outcome = ("success rate", progress.recent_success_rate)
        values = dict([outcome, ("episode length", progress.recent_length)])
        self._viewer.training(message.agent, self._number, values)

    def _say(self, agent: str) -> None:
        """Whose turn it is, and what its judge thinks of it."""
        words = [f"**{agent}** acts"] if self._is_team else []
        if agent in self._probabilities:
            words.append(f"probability of success: {self._probabilities[agent]:.2f}")
        if words:
            self._viewer.now(", ".join(words))

    @property
    def _number(self) -> int:
        return sum(self._steps.values())

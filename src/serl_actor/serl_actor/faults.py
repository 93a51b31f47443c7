"""What can fail within an episode without ending the run."""

from serl_learner.config import ConfigError


class Fault(ConfigError):
    """A step cannot be made or judged; one line: what, where, what was expected.

    The actor says so, stops the episode, which is learned from by nobody, and tries again at the
    reset; only a fault that lasts ends the run.
    """

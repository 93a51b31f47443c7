"""The learners of several agents in one process, which share its memory and its device.

usage: learners_node AGENT=PARAMETER_FILE...
"""

import sys

from rclpy.utilities import remove_ros_args

from serl_learner.learner_node import LearnerNode
from serl_learner.run_node import run_node


def make_learner(argument: str) -> LearnerNode:
    agent, _, file = argument.partition("=")
    return LearnerNode(
        namespace=agent,
        cli_args=["--ros-args", "--params-file", file],
        use_global_arguments=False,
    )


def main() -> None:
    arguments = remove_ros_args(sys.argv)[1:]
    sys.exit(run_node(*(lambda each=each: make_learner(each) for each in arguments)))


if __name__ == "__main__":
    main()

"""`serl train --algorithm bc`: clones a run's demonstrations, the baseline of RL."""

from rich.console import Console

from serl_bringup.run_folder import RunFolder
from serl_bringup.task import Task
from serl_learner.bc import train_bc
from serl_learner.compute import tuned_process
from serl_learner.config import ConfigError
from serl_learner.policy import to_bytes
from serl_learner.transition_log import load_transitions


def clone(task: Task, folder: RunFolder, console: Console) -> None:
    """Fits a policy to the demonstrations and leaves it where a checkpoint's policy would be."""
    if not task.run.demonstrations:
        raise ConfigError(f"{task.task} has no demonstrations to clone: expected --demos FILE")
    transitions = list(load_transitions(task.run.demonstrations, task.task))
    console.print(f"cloning {len(transitions)} demonstrated transitions, {task.bc.steps} steps")
    with tuned_process(task.learner.threads):
        policy = train_bc(
            transitions,
            task.bc,
            task.run.seed,
            task.learner.observation_keys,
            task.encoder,
            discrete_gripper=task.rlpd.gripper == "discrete",
        )
    path = folder.checkpoints / f"{task.bc.steps:08d}" / "policy.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(to_bytes(policy))

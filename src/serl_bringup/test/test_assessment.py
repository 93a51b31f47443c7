"""What several agents are together."""

from contextlib import closing

import pytest
from rich.console import Console

from serl_bringup import keys
from serl_bringup.assessment import Trained, _maker, together
from serl_bringup.run_folder import RunFolder
from serl_bringup.task import load_task


@pytest.mark.parametrize(
    ("rates", "rate"),
    [((0.9, 0.8), 0.8), ((0.0, None), 0.0), ((None, None), None)],
)
def test_a_run_of_several_agents_is_as_good_as_its_worst(rates, rate):
    results = {name: {"success_rate": each} for name, each in zip("ab", rates, strict=True)}
    assert together(results) == {"success_rate": rate, "agents": results}


def test_a_simulation_asks_no_person_whoever_resets_and_judges_in_training(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "TERMINAL", "/dev/none")
    asks = {"reset.source": "person", "reward.source": "human"}
    task = load_task("pcb_insertion", observations="state", overrides=asks)
    agents = {"agent": Trained(task, RunFolder(tmp_path))}
    with _maker(agents, 0, Console()) as make, closing(make()) as environment:
        environment.reset(seed=0)

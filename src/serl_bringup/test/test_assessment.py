"""What several agents are together."""

import pytest

from serl_bringup.assessment import together


@pytest.mark.parametrize(
    ("rates", "rate"),
    [((0.9, 0.8), 0.8), ((0.0, None), 0.0), ((None, None), None)],
)
def test_a_run_of_several_agents_is_as_good_as_its_worst(rates, rate):
    results = {name: {"success_rate": each} for name, each in zip("ab", rates, strict=True)}
    assert together(results) == {"success_rate": rate, "agents": results}

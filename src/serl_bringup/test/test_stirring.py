"""What object relocation's reset does where an agent fails again and again."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from serl_actor.environment import make_environment
from serl_actor.reset import ResetPlanner, ResetRequest
from serl_bringup.task import load_tasks
from serl_sim import relocation_scene
from serl_sim.robot import Pose

CORNERS = [(-0.065, -0.135), (0.065, -0.135), (-0.065, 0.135), (0.065, 0.055)]


@pytest.mark.parametrize("corner", CORNERS)
def test_a_cube_in_a_corner_comes_out_of_it_and_stays_in_its_bin(corner):
    agent = "forward" if corner[1] < 0.0 else "backward"  # takes it from there
    task = load_tasks("object_relocation", observations="state")[agent]
    environment = make_environment(replace(task.environment, relative_frame=False))
    simulation = environment.unwrapped
    observation, _ = environment.reset(seed=0)
    place = relocation_scene.CENTER + np.array([*corner, relocation_scene.CUBE / 2])
    simulation.put_cube(Pose(place, Rotation.identity()))
    planner, places = ResetPlanner(task.reset, seed=0), []
    for _ in range(6):
        plan = planner.plan(ResetRequest(agent, False, observation, ()))
        options = {"agent": "", "waypoints": plan.waypoints, "gripper": plan.gripper}
        observation, info = environment.reset(options=options)
        assert not info["rescued"]
        places.append(simulation.cube.position[:2] - relocation_scene.CENTER[:2])
    places = np.array(places)
    assert (places[:, 1] * corner[1] > 0.0).all()
    assert np.linalg.norm(places - corner, axis=1).max() > relocation_scene.CUBE / 2
    assert len(np.unique(places.round(3), axis=0)) > 3  # it does not stay elsewhere either
    environment.close()

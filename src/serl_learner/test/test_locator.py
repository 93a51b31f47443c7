"""A locator tells where a square is in pictures, in places that it has not seen."""

import math

import numpy as np
import pytest
import torch

from serl_learner.config import ConfigError
from serl_learner.locator import Locator, load_locator, save_locator, spatial_softmax
from serl_learner.locator_training import Sights, errors, label, train_locator
from serl_learner.transition import ObservationSpec, Transition

SHAPE = (32, 32, 3)
SPEC = ObservationSpec((), (("wrist", SHAPE), ("side", SHAPE)))
DOWN = [1.0, 0.0, 0.0, 0.0]  # a quaternion x-y-z-w


def test_spatial_softmax_gives_the_place_and_the_height_of_a_peak():
    maps = torch.zeros(1, 2, 3, 5)  # of 3 rows and 5 columns
    maps[0, 0, 2, 1] = 100.0  # last row, second column
    maps[0, 1, 0, 0] = maps[0, 1, 0, 4] = 100.0  # both ends of the first row
    columns, rows, peaks = spatial_softmax(maps).view(3, 2)
    np.testing.assert_allclose(columns, [-0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(rows, [1.0, -1.0], atol=1e-6)
    np.testing.assert_allclose(peaks, [1.0, 0.5], atol=1e-6)
    even = spatial_softmax(torch.zeros(1, 1, 3, 5))[0]
    np.testing.assert_allclose(even, [0.0, 0.0, 1 / 15], atol=1e-6)


def sights(cells: list[tuple[int, int]], seed: int) -> Sights:
    """Both cameras see a square; its place in metres is that in pixels, divided by 100."""
    rng = np.random.default_rng(seed)
    images = rng.integers(50, 80, (len(cells), 2, *SHAPE), dtype=np.uint8)
    for image, (row, column) in zip(images, cells, strict=True):
        image[:, row : row + 4, column : column + 4] = (220, 180, 40)
    poses = np.hstack([rng.uniform(-0.1, 0.1, (len(cells), 3)), np.tile(DOWN, (len(cells), 1))])
    places = np.hstack([np.array(cells) / 100, np.full((len(cells), 1), 0.02)])
    return Sights(SPEC, images, poses, places, np.arange(len(cells)))


def test_it_learns_to_see_a_thing_in_places_where_it_never_was():
    grid = [(row, column) for row in range(2, 26, 2) for column in range(2, 26, 2)]
    unseen = [(row, column) for row, column in grid if 8 <= row <= 16 and 8 <= column <= 16]
    seen = sights([cell for cell in grid if cell not in unseen], seed=0)
    locator = train_locator(seen, steps=150, seed=0)
    # The unseen places fill a square of 8 cm; a pixel is 1 cm.
    assert np.median(errors(locator, sights(unseen, seed=1))) < 0.015


def test_the_same_seed_gives_the_same_locator_and_the_file_keeps_it(tmp_path):
    data = sights([(4, 4), (10, 20), (20, 10)], seed=0)
    first, second = (train_locator(data, steps=3, seed=5) for _ in range(2))
    save_locator(first, {"median_error_mm": 3.0}, tmp_path / "a.safetensors")
    loaded = load_locator(tmp_path / "a.safetensors")
    assert loaded.spec == first.spec and loaded.spec.vectors == (("pose", 7),)
    images = torch.from_numpy(data.images)
    expected = first.locate(images, data.poses)
    assert expected.shape == (3, 3) and expected.dtype == np.float32
    np.testing.assert_array_equal(second.locate(images, data.poses), expected)
    observation = {"wrist": data.images[1, 0], "side": data.images[1, 1], "pose": data.poses[1]}
    np.testing.assert_allclose(loaded.look(observation), expected[1], atol=1e-5)


def test_both_signs_of_a_quaternion_are_one_pose():
    data = sights([(4, 4), (10, 20)], seed=0)
    locator = Locator(SPEC)
    locator.fit(data.poses, data.places)
    images = torch.from_numpy(data.images)
    turned = data.poses * [1, 1, 1, -1, -1, -1, -1]
    np.testing.assert_array_equal(
        locator.locate(images, data.poses), locator.locate(images, turned)
    )


def test_a_file_that_is_none_is_told_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"locator: \S+none.safetensors: No such file"):
        load_locator(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("not a locator")
    with pytest.raises(
        ConfigError, match=r"^environment.locator: \S+text: not one: expected a file"
    ):
        load_locator(tmp_path / "text")


def episode(openings: list[float], **observation) -> list[Transition]:
    """Its tool moves by 1 cm per step along x."""
    seen = [
        {
            "base_pose": np.array([0.01 * step, 0, 0.1, *DOWN], np.float32),
            "gripper": np.array([opening], np.float32),
            "wrist": np.full(SHAPE, step, np.uint8),
            **observation,
        }
        for step, opening in enumerate(openings)
    ]
    last = len(openings) - 2
    return [
        Transition("agent", "a", i, 0, i, seen[i], np.zeros(7), 0.0, i == last, False)
        for i in range(last)
    ] + [
        Transition(
            "agent", "a", last, 0, last, seen[last], np.zeros(7), 1.0, True, False,
            final_observation=seen[-1],
        )
    ]  # fmt: skip


def test_labels_are_where_the_gripper_then_took_hold():
    takes = [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 1.0]  # it stands still from the fourth on
    data = label([episode([1.0] * 4), episode(takes)])
    assert data.spec == ObservationSpec((), (("wrist", SHAPE),))
    np.testing.assert_allclose(data.places[:, 0], [0.03] * 4, atol=1e-6)
    np.testing.assert_array_equal(data.images[:, 0, 0, 0, 0], range(4))
    assert data.episodes.tolist() == [1] * 4


def test_every_tenth_episode_is_held_out():
    learned, held_out = sights([(4, 4)] * 21, seed=0).split()
    assert held_out.episodes.tolist() == [9, 19]
    assert len(learned.poses) == 19 and len(held_out.images) == 2


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ([], "^recordings: expected episodes in which the gripper takes"),
        ([episode([1.0] * 4)], "^recordings: expected episodes in which the gripper takes"),
        ([episode([1.0] * 4, base_pose=np.zeros(6))], "^observations: expected cameras"),
        ([episode([1.0] * 4), episode([1.0] * 4, more=np.zeros(2))], "^recordings: expected all"),
        (
            [episode([1.0] * 4, side=np.zeros((8, 8, 3), np.uint8))],
            "^observations: expected images of one size",
        ),
    ],
)  # fmt: skip
def test_what_it_cannot_learn_from_is_told_in_one_line(recordings, message):
    with pytest.raises(ConfigError, match=message):
        label(recordings)


def test_constants_of_normalisation_are_those_of_the_data_but_never_vanish():
    data = sights([(0, 10), (20, 10)], seed=0)
    locator = Locator(SPEC)
    locator.fit(data.poses, data.places)
    np.testing.assert_allclose(locator.place_mean, [0.1, 0.1, 0.02], atol=1e-6)
    np.testing.assert_allclose(
        locator.place_spread, [math.sqrt(0.02), 0.01, 0.01], atol=1e-6
    )  # one standard deviation of two values 20 cm apart; the others do not vary

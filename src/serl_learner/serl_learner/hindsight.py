"""Where the thing was that the gripper then took: labels that the robot gives itself."""

from collections.abc import Sequence

import numpy as np

# Of a gripper's opening, in [0, 1]
OPEN, SHUT = 0.9, 0.05
STILL = 0.01  # at most so much change in a step,
STILL_STEPS = 3  # for so many: fingers that turn round on their way stand still for one


def taken_positions(positions: Sequence[np.ndarray], openings: Sequence[float]) -> np.ndarray:
    """Where what the gripper takes next is: (T, 3) m, of the tool's positions (3,).

    NaN: it is in the hand, or nothing is taken any more. A gripper holds something where it stands
    still for a while, neither open nor shut; one that is never open takes nothing.
    """
    places = np.full((len(positions), 3), np.nan)
    if max(openings, default=0.0) < OPEN:
        return places
    place = places[-1]
    holds = _holds(np.asarray(openings))
    for t in reversed(range(len(openings))):
        begins = holds[t] and not (t > 0 and holds[t - 1])
        place = positions[t] if begins else place
        places[t] = place if begins or not holds[t] else np.nan
    return places


def _holds(openings: np.ndarray) -> np.ndarray:  # (T,) -> (T,) bool
    still = np.abs(np.diff(openings, prepend=np.inf)) < STILL
    holds = still & (openings > SHUT) & (openings < OPEN)
    for run in np.split(np.arange(len(holds)), np.flatnonzero(np.diff(holds)) + 1):
        holds[run] &= len(run) >= STILL_STEPS
    return holds

"""How the viewer's page is arranged: cameras beside the scene, then curves."""

from dataclasses import dataclass

import rerun
import rerun.blueprint as layout

from serl_sim.scene_view import ROOT

CAMERAS, TRAINING, NOW, EPISODES = (
    "cameras",
    "training",
    "now",
    "episodes",
)  # paths of what is shown
TEXT = layout.archetypes.TextLogColumns(text_log_columns=["Body"], timeline_columns=["step"])
RECENT = {
    "time_ranges": layout.VisibleTimeRange(
        "step",
        start=layout.TimeRangeBoundary.cursor_relative(seq=-200),
        end=layout.TimeRangeBoundary.cursor_relative(seq=0),
    )
}


@dataclass(frozen=True)
class Contents:
    """What there is to be seen."""

    cameras: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()  # those, and everything else
    scene: bool = False
    now: bool = False  # a line of text
    training: tuple[str, ...] = ()  # names of curves


def arranged(contents: Contents) -> layout.Blueprint:
    rows = [_seen(contents), _recent(contents), _training(contents)]
    there = [(row, share) for row, share in zip(rows, (3, 1, 1), strict=True) if row is not None]
    page = layout.Vertical(*[row for row, _ in there], row_shares=[share for _, share in there])
    return layout.Blueprint(page, collapse_panels=True)


def _seen(contents: Contents) -> layout.Horizontal | None:
    """Cameras one above the other, the line of text below them, and the scene beside."""
    views = [layout.Spatial2DView(origin=f"{CAMERAS}/{c}", name=c) for c in contents.cameras]
    shares = [4] * len(views)
    if contents.now:
        views.append(layout.TextDocumentView(origin=NOW, name=NOW))
        shares.append(1)
    parts = [layout.Vertical(*views, row_shares=shares)] if views else []
    if contents.scene:
        parts.append(layout.Spatial3DView(origin=ROOT, name="scene"))
    return layout.Horizontal(*parts) if parts else None


def _recent(contents: Contents) -> layout.Horizontal:
    """The newest steps, and how episodes ended."""
    names = ["action", "reward"] + ["force"] * ("force" in contents.observed)
    curves = [layout.TimeSeriesView(origin=name, name=name, **RECENT) for name in names]
    endings = layout.TextLogView(origin=EPISODES, name=EPISODES, columns=TEXT)
    return layout.Horizontal(*curves, endings)


def _training(contents: Contents) -> layout.Horizontal | None:
    """All steps; a curve for each agent."""
    names = contents.training
    origins = [rerun.new_entity_path([TRAINING, name]) for name in names]
    views = [
        layout.TimeSeriesView(origin=origin, name=name)
        for origin, name in zip(origins, names, strict=True)
    ]
    return layout.Horizontal(*views) if views else None

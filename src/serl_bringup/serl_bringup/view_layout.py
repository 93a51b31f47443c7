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

    observed: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()  # those of it that are images
    scene: bool = False
    now: bool = False  # a line of text
    training: tuple[str, ...] = ()  # names of curves
    agents: tuple[str, ...] = ()  # whose curves these are


def arranged(contents: Contents) -> layout.Blueprint:
    rows = [(5, _seen(contents))] if contents.cameras or contents.scene else []
    if contents.now:
        rows.append((1, layout.TextDocumentView(origin=NOW, name=NOW)))
    rows.append((2, _recent(contents)))
    if contents.training:
        rows.append((2, _training(contents)))
    page = layout.Vertical(*[row for _, row in rows], row_shares=[share for share, _ in rows])
    return layout.Blueprint(page, collapse_panels=True)


def _seen(contents: Contents) -> layout.Horizontal:
    """Cameras, and beside them the scene, twice as wide as one."""
    views = [layout.Spatial2DView(origin=f"{CAMERAS}/{c}", name=c) for c in contents.cameras]
    if contents.scene:
        views.append(layout.Spatial3DView(origin=ROOT, name=ROOT))
    shares = [1] * len(contents.cameras) + [2] * contents.scene
    return layout.Horizontal(*views, column_shares=shares)


def _recent(contents: Contents) -> layout.Horizontal:
    """The newest steps, and how episodes ended."""
    names = ["action", "reward"] + ["force"] * ("force" in contents.observed)
    curves = [layout.TimeSeriesView(origin=name, name=name, **RECENT) for name in names]
    endings = layout.TextLogView(origin=EPISODES, name=EPISODES, columns=TEXT)
    return layout.Horizontal(*curves, endings)


def _training(contents: Contents) -> layout.Horizontal:
    """All steps; a curve for each agent."""
    legend = layout.PlotLegend(visible=len(contents.agents) > 1)
    views = [
        layout.TimeSeriesView(
            origin=rerun.new_entity_path([TRAINING, name]), name=name, plot_legend=legend
        )
        for name in contents.training
    ]
    return layout.Horizontal(*views)

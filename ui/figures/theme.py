"""Colours and the plotly template. Backgrounds are transparent; assets/css recolours text and grid for dark pages.

Categories: Okabe and Ito's colour-blind-safe palette (2008), without yellow (it vanishes on white) and with the blue
made lighter (#0072B2 vanishes on black).
Maps: "Cividis" for magnitudes (readable with any colour vision), "RdBu" for signed values, centred at zero.
plotly is imported on the first figure, so that the page is up before.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

CATEGORIES = ("#2a7fbf", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6B7280")
MAGNITUDE = "Cividis"
SIGNED = "RdBu"
INK = "#5b6472"
GRID = "rgba(127, 137, 153, 0.22)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif"


def figure(x: str = "", y: str = "", height: int = 360) -> "go.Figure":
    """An empty figure in the house style with axis titles ``x`` and ``y`` (with their units) and ``height`` in pixels."""
    import plotly.graph_objects as go

    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID, "ticks": "outside", "tickcolor": GRID, "automargin": True}
    return go.Figure(
        layout={
            "template": "none",
            "height": height,
            "autosize": True,
            "colorway": list(CATEGORIES),
            "font": {"family": FONT, "size": 13, "color": INK},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
            "xaxis": {**axis, "title": {"text": x}},
            "yaxis": {**axis, "title": {"text": y}},
            "legend": {"orientation": "h", "y": 1.08, "x": 0},
            "hovermode": "closest",
        }
    )

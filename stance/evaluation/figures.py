"""matplotlib figures as SVG within a page: one look, no fixed size, ids of their own."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as Tree
from typing import TYPE_CHECKING, Any

from stance.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup
    from matplotlib.axes import Axes

# Told apart by readers who see no red or no green, and each dark enough for a line on white.
COLOURS = ("#1d4e89", "#c2410c", "#0f766e", "#86198f", "#6b7280", "#a16207", "#be123c", "#3f6212")
# Beside the colour, so that a print without colours can be read too.
DASHES = ("-", "--", "-.", ":")
INK, MUTED, LINE = "#17212b", "#51606f", "#d8dee5"
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"#(?=[\w.-]+\)?$)")
_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.prop_cycle": f"cycler('color', {list(COLOURS)})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    # Words in a data set are words, also where they hold a dollar sign.
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelsize": 9,
    "ytick.color": MUTED,
    "ytick.labelsize": 9,
}


def draw_svg(
    draw: Callable[[Axes], None],
    *,
    name: str,
    words: str,
    width: float = 4.5,
    height: float = 3.4,
) -> Markup:
    """Draw a figure as an `svg` element for a page.

    Args:
        draw: Draws on the axes that it is given.
        name: Of letters, digits and hyphens, unlike that of any other figure on the page: it
            parts their ids, and makes the same figure the same bytes in every run.
        words: What the figure shows, for those who cannot see it.
        width: In inches; a figure of 4.5 is as wide as a phone or a third of a screen.
        height: In inches.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        import matplotlib
        from markupsafe import Markup
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("The HTML report", "report", error.name or "matplotlib") from None
    written = io.StringIO()
    style: Any = {**_STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        # A figure of its own, not pyplot's: no window, and no state that outlives it.
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=nothing)
    Tree.register_namespace("", _SVG)
    Tree.register_namespace("xlink", _XLINK)
    # Drawn by us a moment ago, so no stranger's document.
    root = Tree.fromstring(written.getvalue())
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif "#" in value and (key.endswith("href") or value.startswith("url(#")):
                element.set(key, _REFERENCE.sub(f"#{name}-", value))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", words)
    # What ElementTree writes is escaped.
    return Markup(Tree.tostring(root, encoding="unicode"))

"""How figures look: size and fonts, and the color of each tracker.

A tracker has its color by its name alone (`tracker_styles`), so that it keeps it from plot to plot
and in the report, whatever else is shown.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import font_manager

from ..errors import ParameterError

# Okabe & Ito's palette (jfly.uni-koeln.de/color, 2008), its yellow darkened for thin lines: told
# apart by readers with any color vision. Then four of Tol's (personal.sron.nl/~pault, 2021).
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8a000", "#56b4e9", "#e69f00", "#000000")
_MORE_COLORS = ("#882255", "#332288", "#117733", "#aa4499")
_LINES = ("-", "--", "-.", ":")
_MORE_LINES = ((0, (9, 2)), (0, (1, 4)), (0, (5, 2, 1, 2, 1, 2)), (0, (4, 4)))
# The first three colors, the easiest to tell apart, are kept for what nearly every plot here has.
_OWN = {"et_tracker_et_tracker": 0, "et_tracker_lt_mobile": 1, "et_tracker_et_tracker_published": 2}
# TrueType in PDF, since publishers refuse Type 3 fonts; a salt makes SVG files reproducible.
STYLE: Any = {"pdf.fonttype": 42, "svg.hashsalt": "pytracking-et"}


@dataclass(frozen=True)
class Look:
    """How figures look.

    Attributes:
        size: width and height in inches.
        points: size of the font.
        line: width of lines in points.
        title: whether there is one; captions of papers take its place.
        note: whether the note, which states the rule, stands below. It is in each file's metadata
            (PDF Subject, SVG and PNG Description) in any case.
        font: family, e.g. "serif" or "Times New Roman"; None: matplotlib's.
    """

    size: tuple[float, float] = (6.4, 4.8)
    points: float = 9.0
    line: float = 1.6
    title: bool = True
    note: bool = True
    font: str | None = None

    def style(self) -> Any:
        """What matplotlib is set to while a figure is drawn or written.

        Raises:
            ParameterError: no such font here, or a size without area.
        """
        if not all(0.5 <= side <= 100 for side in self.size):
            raise ParameterError(f"size {self.size} of a figure: give inches, e.g. 3.4x2.6")
        # Names are anybody's: `a$1_a_b$` is no formula.
        style: dict[str, Any] = {**STYLE, "font.size": self.points, "text.parse_math": False}
        if self.font is None:
            return style
        try:
            font_manager.findfont(self.font, fallback_to_default=False)
        except ValueError as error:
            known = sorted({each.name for each in font_manager.fontManager.ttflist})
            raise ParameterError(
                f"font {self.font!r} is not here; serif, sans-serif, monospace, or one of: "
                f"{', '.join(known[:20])}"
            ) from error
        return {**style, "font.family": self.font}


# A column of a two-column paper (IEEE, CVF: 3.3 to 3.5 inches), and a slide of 16:9.
LOOKS = {
    "screen": Look(),
    "paper": Look((3.4, 2.6), 7.5, 1.2, title=False, note=False),
    "slide": Look((10.0, 5.6), 16.0, 2.8),
}
SCREEN = LOOKS["screen"]


def get_plot_draw_styles() -> list[dict[str, Any]]:
    """pytracking's list: color and line style of the first, second, ... tracker; 32 that differ."""
    return [{"color": color, "line_style": line} for line in _LINES for color in _COLORS]


def tracker_styles(names: Sequence[str]) -> list[dict[str, Any]]:
    """Color and line style of each tracker.

    The color is a matter of the name alone, so it may be that of another tracker: line styles tell
    those apart.

    Args:
        names: NAME_PARAMETER; runs of a tracker share it.
    """
    others = (*_COLORS[len(_OWN) :], *_MORE_COLORS)
    # 44 is the first number that gives eight trackers often compared eight colors.
    numbers = [zlib.crc32(f"44{name}".encode()) for name in names]
    chosen = [
        _COLORS[_OWN[name]] if name in _OWN else others[number % len(others)]
        for name, number in zip(names, numbers, strict=True)
    ]
    lines = (*_LINES, *_MORE_LINES)
    return [
        {"color": color, "line_style": lines[chosen[:i].count(color) % len(lines)]}
        for i, color in enumerate(chosen)
    ]


def box_colors(names: Sequence[str]) -> list[str]:
    """Colors of `tracker_styles`, each once: boxes have no line style to tell two apart."""
    chosen: list[str] = []
    for style in tracker_styles(names):
        free = [color for color in (*_COLORS, *_MORE_COLORS) if color not in chosen]
        chosen.append(next(iter(free), "#808080") if style["color"] in chosen else style["color"])
    return chosen

"""Figures: names that do not cover each other, options, files."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pytracking_et.analysis.figures import draw_radar, draw_speed, save_figure
from pytracking_et.analysis.looks import LOOKS, box_colors, tracker_styles
from pytracking_et.analysis.summary import published_figures
from pytracking_et.errors import ParameterError


def speed_figure():
    paper = published_figures()
    table = pd.DataFrame({"fps": paper["CPU fps"], "auc": paper["OTB-100"]})
    return draw_speed(table, {"mine": (48.0, 67.5), "other": (15.5, 69.7)}, "OTB-100", "note")


def test_names_do_not_cover_each_other():
    figure = speed_figure()
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert len(boxes) == 14
    for one, two in itertools.combinations(boxes, 2):
        # Text widths are estimated: a pixel or two of the margins may touch.
        assert not one.expanded(0.85, 0.7).overlaps(two.expanded(0.85, 0.7))


def test_save(tmp_path):
    written = save_figure(speed_figure(), tmp_path / "a.b", ["svg", "png"])
    assert [path.name for path in written] == ["a.b.svg", "a.b.png"]
    assert all(path.stat().st_size > 1000 for path in written)


@pytest.mark.parametrize("form", ["jpg", ""])
def test_unknown_format(tmp_path, form):
    with pytest.raises(ParameterError, match="unknown figure format"):
        save_figure(speed_figure(), tmp_path / "a", [form])
    assert not list(tmp_path.iterdir())


def test_a_tracker_keeps_its_color():
    alone = tracker_styles(["ATOM"])[0]["color"]
    names = ["et_tracker_et_tracker", "x", "KCF", "ATOM", "et_tracker_lt_mobile", "y_z"]
    among = dict(zip(names, tracker_styles(names), strict=True))
    assert among["ATOM"]["color"] == alone
    assert among["et_tracker_et_tracker"]["color"] == "#0072b2"
    # Two of one color differ in their lines; boxes, which have none, in color.
    twice = tracker_styles(["ATOM", "ATOM"])
    assert twice[0]["color"] == twice[1]["color"]
    assert twice[0]["line_style"] != twice[1]["line_style"]
    assert len(set(box_colors(["ATOM", "ATOM", "x"]))) == 3


def test_a_radar_without_room_for_its_names_is_refused():
    rows = [f"Illumination Variation {i} (38)" for i in range(3)]
    with pytest.raises(ParameterError, match="no room beside its attributes' names"):
        draw_radar(pd.DataFrame({"one": [1, 2, 3]}, index=rows), "t", "n", look=LOOKS["paper"])


def test_many_of_one_color_differ_in_their_line():
    styles = tracker_styles(["mine"] * 8)
    assert len({str(style["line_style"]) for style in styles}) == 8
    rows = ["OCC (1)", "SV (1)", "FM (1)"]
    table = pd.DataFrame({"_a": [1, 2, 3], "b": [2, 2, 2]}, index=rows)
    (legend,) = draw_radar(table, "t", "n").legends
    assert [text.get_text() for text in legend.get_texts()] == ["_a", "b"]


def test_dollars_in_names_are_no_formulas(tmp_path):
    rows = ["OCC (1)", "SV (1)", "FM (1)"]
    figure = draw_radar(pd.DataFrame({"a$1_a_b$": [1, 2, 3]}, index=rows), "t", "$x_y_z$")
    save_figure(figure, tmp_path / "radar", formats=["svg"])
    assert (tmp_path / "radar.svg").is_file()


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("attributes", [3, 14])
def test_names_on_the_radar_are_inside_and_clear_of_the_circle(look, attributes):
    rows = [f"LONG{i} (12)" for i in range(attributes)]
    table = pd.DataFrame({"one": range(attributes), "two": 9.0}, index=rows)
    figure = draw_radar(table, "Title", "note " * 60, look=look)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    axes = figure.axes[0]
    circle = axes.get_window_extent(renderer)
    middle = [(circle.x0 + circle.x1) / 2, (circle.y0 + circle.y1) / 2]
    for text in axes.get_xticklabels():
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        near = np.clip(middle, [box.x0, box.y0], [box.x1, box.y1])
        assert np.hypot(*(near - middle)) > circle.width / 2
        for other in figure.texts + figure.legends:
            assert not box.overlaps(other.get_window_extent(renderer))

"""The page: self-contained, complete, safe against odd names; looked at in a browser (slow)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking_et.analysis.comparison import annotate, compare
from pytracking_et.analysis.report import write_report
from pytracking_et.analysis.report.page import in_words
from pytracking_et.errors import DatasetError, ParameterError


class Outline(HTMLParser):
    """Tags that are not closed, references to other files, ids."""

    VOID = {"meta", "br", "img", "link", "input", "hr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.ids, self.cells = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.references += [values[k] for k in ("src", "href") if k in values]
        self.ids.add(values.get("id"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


def embedded(text):
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


@pytest.fixture
def written(world, tmp_path):
    """Text of a report of the world, or of what is given."""

    def write(trackers=world.trackers, dataset=world.sequences, **options):
        return write_report(trackers, dataset, tmp_path / "r.html", **options).read_text("utf-8")

    return write


@pytest.fixture
def page(world, tmp_path):
    manifest = {"format": 1, "cpu": "Test CPU <b>", "settings": {"f": {"threads": 2}}}
    Path(world.trackers[0].results_dir, "manifest.json").write_text(json.dumps(manifest))
    groups = {"OCC": ["Alpha", "Gamma"], "SV": ["Beta-1"]}
    return write_report(world.trackers, world.sequences, tmp_path / "r.html", attributes=groups)


def test_refers_to_nothing_else(page):
    outline = Outline(page.read_text(encoding="utf-8"))
    assert outline.open == []
    assert all(reference.startswith("#") for reference in outline.references)
    assert {"results", "curves", "strips", "bysequence", "manifest"} <= outline.ids
    assert not re.search(r"(?:src|href)=\"(?:http|//)|@import|url\(", page.read_text())


def test_figures_on_the_page_are_those_of_the_comparison(page, world):
    cells = Outline(page.read_text(encoding="utf-8")).cells
    for value in compare(world.trackers, world.sequences).figures()["auc"]:
        assert f"{value:.2f}" in cells
    text = page.read_text(encoding="utf-8")
    assert "rule pytracking" in text
    # Four sequences are not OTB-100.
    assert 'id="published"' not in text and embedded(text)["speed"] is None


def test_published_trackers_beside_a_part_of_a_set_are_asked_for(written):
    text = written(count=1, published=True)
    assert "NOT COMPARABLE: this run is on 4 sequences" in text
    assert len(embedded(text)["speed"]["published"]) == 12


def test_rows_that_differ_stand_on_the_page(world, written):
    result = Path(world.trackers[0].results_dir) / "Alpha.txt"
    lines = result.read_text().splitlines(keepends=True)
    result.write_text("".join(lines[:-2]))
    with pytest.warns(UserWarning, match=f"'Alpha' has {len(lines) - 2} boxes for {len(lines)}"):
        text = written(count=1)
    assert f"has {len(lines) - 2} boxes for {len(lines)} annotated" in text


def test_failures_and_strips(page):
    values = embedded(page.read_text(encoding="utf-8"))
    assert {one["kind"] for one in values["sequences"]} == {"best", "worst"}
    pictures = [picture for one in values["sequences"] for picture in one["strip"]]
    assert len(pictures) == 4 * 8
    assert all(picture["uri"].startswith("data:image/jpeg") for picture in pictures)


def test_the_first_tracker_is_what_strips_are_about(world, written):
    values = embedded(written([world.trackers[1], world.trackers[0]], count=1))
    worst = next(one for one in values["sequences"] if one["kind"] == "worst")
    assert worst["name"] == "Gamma"
    assert worst["timeline"]["lost"] == [[10, 39]]
    assert worst["lost"] == 75.0


def test_the_tracker_in_focus(written):
    values = embedded(written(count=1, focus="poor_default_000"))
    assert values["first"] == values["drawn"][0]["label"] == "poor_default_000"
    with pytest.raises(ParameterError, match="no tracker 'nobody' in the report; one of: good"):
        written(focus="nobody")


def test_in_words():
    settings = {
        "engine": "openvino",
        "precision": "f32",
        "started": "2026-11-22T19:49:06+00:00",
        "weights": {"file": "w.safetensors", "sha256": "0123456789abcdef"},
        "versions": {"pytracking_et": "0.1.0", "python": "3.11", "openvino": "2026.4"},
        "machine": {"cpu": "A CPU", "cores": 2, "system": "Linux"},
        "processes": 2,
        "git_revision": "abcdef0123456-dirty",
        "wall_seconds": 56.4,
        "failed": {"b": "x"},
        "earlier": [{"machine": {"cpu": "Other", "cores": 8}, "processes": "tcp://10.0.0.1:8786"}],
    }
    entry = {"fingerprint": "f", "dataset": "otb", "frames": 1200, "seconds": 9.4}
    manifest = {"settings": {"f": settings, "unused": {}}, "sequences": {"a": entry}}
    assert in_words(manifest) == [
        "1 sequence of otb, 1,200 frames; tracked with openvino f32; weights w.safetensors (sha256 "
        "0123456789ab); on A CPU with 2 cores, Linux; by pytracking-et 0.1.0; revision abcdef0123 "
        "with changes that are not committed; openvino 2026.4, python 3.11; 2 processes at a time; "
        "a part of it earlier on Other with 8 cores, on a cluster; "
        "started 2026-11-22 19:49; 9 s of tracking; 56 s by the clock, with all "
        "trackers of the run; 1 sequence failed: b."
    ]
    assert in_words({"settings": "x", "sequences": [1]}) == []
    assert in_words({"sequences": {"a": 1, "b": {"frames": "x", "fingerprint": [1]}}}) == []


def test_manifest_is_shown_and_escaped(page):
    text = page.read_text(encoding="utf-8")
    assert "Test CPU &lt;b&gt;" in text
    assert "Test CPU <b>" not in text
    assert "no manifest.json" in text  # of the other two


def test_odd_names_cannot_break_the_page(world, written):
    world.trackers[0].display_name = "</script><b>{{data}}"
    text = written(title="{{script}} <i>")
    assert embedded(text)["first"] == "</script><b>{{data}}"
    assert text.count("</script>") == 2
    assert "<i>" not in text
    assert Outline(text).open == []


def test_a_tracker_called_like_a_column(world, written):
    place = Path(world.trackers[0].results_dir)
    folder = place.rename(place.parent / "frames")
    assert "length in frames" in written([str(folder)])


def test_nine_runs_of_one_tracker(world, written):
    assert len(embedded(written([world.trackers[0]] * 9))["styles"]) == 9


def test_nothing_that_counts_is_told(world, written):
    for one in world.sequences:
        one.ground_truth_rect[:] = np.nan
    with pytest.raises(DatasetError, match="no frame of 'otb' counts"):
        written(exclude_invalid_frames=True)


def test_without_frames_there_are_timelines_only(world, written):
    values = embedded(written(dataset=annotate(world.sequences)))
    assert all(one["strip"] == [] and one["timeline"]["x"] for one in values["sequences"])


def test_merged_runs(written):
    values = embedded(written(merge_results=True))
    assert [style["label"] for style in values["styles"]] == ["good_default", "poor_default"]


PROBE = Path(__file__).with_name("probe.js")


def probed(page, script, *arguments, profile):
    """What the script wrote into the page's <pre id="probe">."""
    copy = page.with_name("probed.html")
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
    copy.write_text(text, encoding="utf-8")
    dom = chromium(*arguments, "--dump-dom", copy.as_uri(), profile=profile)
    return json.loads(re.search(r'<pre id="probe">(.*?)</pre>', dom, re.S)[1])


def chromium(*arguments, profile):
    program = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if program is None:
        pytest.skip("no Chromium to open the page in")
    switches = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", "--hide-scrollbars", "--virtual-time-budget=5000",
    ]  # fmt: skip
    done = subprocess.run(
        [program, *switches, *arguments], check=True, capture_output=True, text=True, timeout=180
    )
    return done.stdout


@pytest.mark.slow
def test_printed(page, tmp_path):
    # As on paper: nothing is wider than it, nothing closed, no line of the legend gone.
    paper = page.with_name("paper.html")
    paper.write_text(page.read_text("utf-8").replace("@media print", "@media all"), "utf-8")
    probe = """
      dispatchEvent(new Event("beforeprint"));
      const all = (selector) => [...document.querySelectorAll(selector)];
      const seen = (one) => one.getClientRects().length > 0;
      const pre = document.createElement("pre");
      pre.id = "probe";
      pre.textContent = JSON.stringify({
        cut: all("main *").filter((one) => getComputedStyle(one).overflowX !== "visible"
          && one.clientWidth && one.scrollWidth > one.clientWidth + 1).map((one) => one.className),
        closed: all("details:not(.raw)").filter((one) => !one.open).length,
        legend: all("#legend button").filter(seen).length,
        nav: seen(document.querySelector("nav")),
        page: document.documentElement.scrollWidth,
      });
      document.body.append(pre);
    """
    found = probed(paper, probe, "--window-size=703,1000", profile=tmp_path / "profile")
    assert found == {"cut": [], "closed": 0, "legend": 3, "nav": False, "page": 703}
    pdf = tmp_path / "r.pdf"
    chromium(f"--print-to-pdf={pdf}", page.as_uri(), profile=tmp_path / "profile")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 500])
def test_in_a_browser(page, world, tmp_path, width):
    shot = tmp_path / "page.png"
    chromium(
        f"--window-size={width},3000", f"--screenshot={shot}", page.as_uri(),
        profile=tmp_path / "profile",
    )  # fmt: skip
    image = cv2.imread(str(shot))
    assert image.shape[1] == width
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100
    window, profile = f"--window-size={width},3000", tmp_path / "profile"
    found = probed(page, PROBE.read_text(), window, profile=profile)
    assert found["ready"] == "yes"
    assert found["before"] == list(compare(world.trackers, world.sequences).sequences)
    assert sorted(found["down"]) == sorted(found["before"])
    assert found["up"] == found["down"][::-1] != found["down"]
    assert (found["lines"], found["off"]) == (9, 3)
    assert "IoU threshold 0.45" in found["tip"]
    assert "poor_default_000" in found["tip"]
    assert "good_default" not in found["tip"]  # switched off
    assert found["images"] >= 8
    assert not found["wide"]

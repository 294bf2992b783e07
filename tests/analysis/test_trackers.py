"""Finding result folders by what a command line names, and the files in them."""

from __future__ import annotations

import pytest

from pytracking_et.analysis.trackers import (
    ResultFolder,
    ResultTracker,
    files_note,
    find_trackers,
    labels_of,
)
from pytracking_et.errors import ParameterError, ResultsError


@pytest.fixture
def root(tmp_path):
    for place in ("et/default", "et/fast_000", "et/fast_001", "et/fast_002", "ATOM", "et/empty"):
        (tmp_path / place).mkdir(parents=True)
        if not place.endswith("empty"):
            (tmp_path / place / "Deer.txt").write_text("1,2,3,4\n")
    return tmp_path


def shown(trackers):
    return [(t.name, t.parameter_name, t.run_id, t.display_name) for t in trackers]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (["et:default"], [("et", "default", None, None)]),
        (["et:fast:1"], [("et", "fast", 1, None)]),
        (["et:fast:0-2"], [("et", "fast", i, None) for i in range(3)]),
        (["mine=et:default"], [("et", "default", None, "mine")]),
        (["ATOM"], [("ATOM", "", None, "ATOM")]),
        (["et/fast_002"], [("et", "fast", 2, None)]),
        (
            [],
            [("ATOM", "", None, "ATOM"), ("et", "default", None, None)]
            + [("et", "fast", i, None) for i in range(3)],
        ),
    ],
)
def test_find(root, specs, expected):
    assert shown(find_trackers(root, specs)) == expected


def test_trackers_of_one_name_are_not_merged():
    """Only runs are; another parameter file, or name, is another tracker."""
    places = [("t", "a", 0, "X"), ("t", "a", 1, "X"), ("t", "b", 0, "X"), ("t", "b", 1, "X")]
    trackers = [ResultTracker(*place, "folder") for place in places]
    assert labels_of(trackers, merged=True) == ["X", "X", "X (2)", "X (2)"]
    places = [("t_a", "b", 0, None), ("t_a", "b", 1, None), ("t", "a_b", 0, None)]
    trackers = [ResultTracker(*place, "folder") for place in [*places, ("t", "a_b", 1, None)]]
    assert labels_of(trackers, merged=True) == ["t_a_b", "t_a_b", "t_a_b (2)", "t_a_b (2)"]


@pytest.mark.parametrize("manifest", [None, '{"sequences": {"half_time": {}}}'])
def test_a_sequence_that_is_called_like_a_kind_of_file(root, manifest):
    folder = root / "et" / "default"
    for name in ("half_time.txt", "half_time_time.txt", "half_time_float.txt"):
        (folder / name).write_text("1,2,3,4\n")
    if manifest:
        (folder / "manifest.json").write_text(manifest)
    assert ResultFolder.open(folder).sequences() == ["Deer", "half_time"]


def test_endings_in_capitals_are_of_the_same_kinds(root):
    folder = root / "et" / "default"
    (folder / "Deer_time.TXT").write_text("0.1\n")
    opened = ResultFolder.open(folder)
    assert opened.sequences() == ["Deer"] and set(opened.files["_time"]) == {"Deer"}


def test_a_folder_of_capital_endings_is_found(root):
    (root / "other" / "best").mkdir(parents=True)
    (root / "other" / "best" / "Deer.TXT").write_text("1,2,3,4\n")
    assert [str(one.results_dir) for one in find_trackers(root, ["other/best"])] == [
        str(root / "other" / "best")
    ]
    assert any(one.name == "other" for one in find_trackers(root))


def test_the_note_names_trackers_without_subpixel_boxes(root):
    folder = root / "et" / "default"
    assert files_note([folder], ["Deer"], "otb", True) == "; sub-pixel boxes (SEQ.txt of default)"
    assert files_note([folder], ["Deer"], "otb", False) == "; boxes of SEQ.txt"
    (folder / "Deer_float.txt").write_text("1,2,3,4\n")
    assert files_note([folder], ["Deer"], "otb", True) == "; sub-pixel boxes"


def test_hidden_folders_are_no_trackers(root):
    for place in (".checkpoints/default", "et/.ipynb_checkpoints"):
        (root / place).mkdir(parents=True)
        (root / place / "Deer.txt").write_text("1,2,3,4\n")
    assert not any(".ipynb" in str(one) or ".check" in str(one) for one in find_trackers(root))


def test_a_parameter_file_that_is_named_like_a_run(root):
    (root / "et" / "fast_001" / "manifest.json").write_text('{"parameter": "fast_001"}')
    (root / "et" / "fast_002" / "manifest.json").write_text('{"parameter": "fast", "run_id": 2}')
    for name in ("fast_1000", "vit_1024"):
        (root / "et" / name).mkdir()
        (root / "et" / name / "Deer.txt").write_text("1,2,3,4\n")
    (root / "et" / "fast_1000" / "manifest.json").write_text('{"parameter": "fast"}')
    names = [(t.parameter_name, t.run_id) for t in find_trackers(root) if t.name == "et"]
    fast = [("fast", 0), ("fast_001", None), ("fast", 2), ("fast", 1000)]
    assert names == [("default", None), *fast, ("vit_1024", None)]


def test_absolute_folder(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "my results"
    other.mkdir()
    (other / "Deer.txt").write_text("1,2,3,4\n")
    (one,) = find_trackers(root, [f"X={other}"])
    assert (one.display_name, one.results_dir) == ("X", str(other))


@pytest.mark.parametrize(("label", "expected"), [("", "ATOM"), ("X=", "X")])
def test_folder_with_an_equals_sign(root, label, expected):
    place = root / "lr=0.1" / "ATOM"
    place.mkdir(parents=True)
    (place / "Deer.txt").write_text("1,2,3,4\n")
    (one,) = find_trackers(root / "lr=0.1", [f"{label}{place}"])
    assert (one.display_name, one.results_dir) == (expected, str(place))


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("et:none", ResultsError, r"no results of 'et:none'.*ATOM, et:default, et:fast"),
        ("et", ParameterError, r"'et' is no result folder"),
        ("et:fast:x", ParameterError, "'x' is neither a number nor FIRST-LAST"),
        ("et:fast:5", ResultsError, "fast_005"),
        ("et:fast:2-0", ParameterError, "'2-0' is neither a number nor FIRST-LAST"),
        ("et:fast:²", ParameterError, "'²' is neither a number nor FIRST-LAST"),
    ],
)
def test_errors_list_what_is_there(root, spec, error, message):
    with pytest.raises(error, match=message):
        find_trackers(root, [spec])


def test_nothing_there(tmp_path):
    with pytest.raises(ResultsError, match="no results below"):
        find_trackers(tmp_path)


@pytest.mark.parametrize(
    ("dataset", "name", "expected"),
    [
        ("otb", "Bike1", None),
        ("lasot", "bird-2", None),
        ("uav", "uav_bike1", "uav_bike1"),
        ("nfs", "nfs_bird_2", "nfs_bird_2"),
        ("", "Bike1", "uav_bike1"),
        ("mine", "Bike1", "uav_bike1"),
    ],
)
def test_files_of_another_data_set_by_their_prefix(tmp_path, dataset, name, expected):
    for stem in ("uav_bike1", "nfs_bird_2", "Deer"):
        (tmp_path / f"{stem}.txt").write_text("1,2,3,4\n")
    folder = ResultFolder.open(tmp_path, dataset)
    found = folder.find([name])[name]
    assert (found and found.stem) == expected
    if expected is None:
        with pytest.raises(ResultsError, match=r"lacks 1 of 1 sequences.*there are some of"):
            folder.boxes([name])

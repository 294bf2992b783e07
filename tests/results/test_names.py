"""Spellings of sequence names."""

from __future__ import annotations

import pytest

from pytracking_et.evaluation.datasets.layouts import registry
from pytracking_et.results.names import Matcher, dataset_of, other_dataset


@pytest.mark.parametrize(
    ("name", "available", "expected"),
    [
        ("Jogging_1", ["Jogging-1", "Jogging-2"], "Jogging-1"),
        ("Jogging_1", ["Jogging.1", "Jogging.2"], "Jogging.1"),
        ("uav_car1_s", ["car1_s", "car1_1"], "car1_s"),
        ("car1_s", ["uav_car1_s"], "uav_car1_s"),
        ("uav_uav1_1", ["uav1_1", "uav1_2"], "uav1_1"),
        ("uav1_1", ["uav1_1"], "uav1_1"),
        ("nfs_Gymnastics", ["gymnastics"], "gymnastics"),
        ("Human4_2", ["Human4"], "Human4"),
        ("airplane-1", ["airplane_1", "airplane-13"], "airplane_1"),
        ("Deer", ["Dear"], None),
        ("a-1", ["a.1", "a_1"], None),
        ("a.1", ["a.1", "a_1"], "a.1"),
        ("uav_bike1", ["uav10fps_bike1"], None),
        ("uav10fps_bike1", ["uav_bike1"], None),
        ("uav_bike1", ["uav10fps_bike1", "UAV_bike1"], "UAV_bike1"),
        ("bike1", ["uav10fps_bike1"], "uav10fps_bike1"),
        ("bike1", ["uav10fps_bike1", "uav_bike1"], None),
        ("tpl_Biker", ["nfs_biker"], None),
    ],
)
def test_find(name, available, expected):
    assert Matcher(available).find(name) == expected
    assert Matcher(available, mixed=True).find(name) == expected


@pytest.mark.parametrize(
    ("name", "available", "expected"),
    [
        ("uav_car2", ["Car2", "uav_bike1"], None),
        ("uav_car2", ["Car2", "UAV_Car2"], "UAV_Car2"),
        ("nfs_bird_3", ["bird-3", "nfs_bird_2"], None),
        ("nfs_bird_3", ["bird-3", "uav_bike1"], "bird-3"),
    ],
)
def test_a_folder_with_the_results_of_several_data_sets(name, available, expected):
    assert Matcher(available, mixed=True).find(name) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("uav", "uav123_10fps", True),
        ("otb", "vot", True),
        ("otb", "otb", False),
        ("tpl", "tpl_nootb", False),
        ("uav123", "uav", False),
        ("UAV123@10fps", "uav123_10fps", False),
        ("UAV123", "otb", True),
        ("UAV", "OTB-100", True),
        ("otb", "my folder", False),
        ("otb", "", False),
    ],
)
def test_other_dataset(one, other, expected):
    assert other_dataset(one, other) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uav_bike1", "uav"),
        ("uav10fps_bike1", "uav123_10fps"),
        ("uav1_1", ""),
        ("nfs_dog_1", "nfs"),
        ("Car2", ""),
    ],
)
def test_dataset_of(name, expected):
    assert dataset_of(name) == expected


def test_every_built_in_data_set_is_known():
    names = sorted(registry())
    assert [
        name for name in names if not other_dataset(name, "otb" if name != "otb" else "vot")
    ] == []

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from pytracking_et import settings as environment
from pytracking_et.errors import DatasetError, ParameterError
from pytracking_et.settings import (
    NAMES,
    UNREAD,
    dataset_root,
    env_settings,
    read_settings,
    read_toml,
    resolve,
    toml_text,
    write_settings,
)

# pytracking's local.py, and the six names it uses without defining them.
PYTRACKING = [
    "results_path",
    "segmentation_path",
    "network_path",
    "result_plot_path",
    "otb_path",
    "nfs_path",
    "uav_path",
    "tpl_path",
    "vot_path",
    "got10k_path",
    "lasot_path",
    "lasot_extension_subset_path",
    "trackingnet_path",
    "oxuva_path",
    "davis_dir",
    "youtubevos_dir",
    "got_packed_results_path",
    "got_reports_path",
    "tn_packed_results_path",
    "dataspec_path",
    "got10k_mask_path",
    "lasot_mask_path",
    "trackingnet_mask_path",
    "avist_path",
    "lagot_path",
]


def settings_path() -> Path:
    return Path(os.environ["PYTRACKING_ET_SETTINGS"])


@pytest.mark.parametrize("name", PYTRACKING)
def test_every_attribute_of_pytracking_exists(name):
    assert isinstance(getattr(env_settings(), name), str)


def test_data_sets_are_unset_by_default():
    assert env_settings().otb_path == ""
    assert Path(env_settings().results_path).is_absolute()


def test_results_of_an_installed_package_go_to_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "a" / "settings.py"))
    assert env_settings().results_path == str(tmp_path / "evaluation_results")


def test_environment_variable_wins_over_file(monkeypatch):
    settings_path().write_text("otb_path = '/file/otb'\nuav_path = '/file/uav'\n")
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", "/variable/otb")
    settings = env_settings()
    assert (settings.otb_path, settings.uav_path) == ("/variable/otb", "/file/uav")


def test_order_of_the_files(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTRACKING_ET_SETTINGS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert environment.settings_file() is None
    user = environment.user_folder() / "ettrack.toml"
    user.parent.mkdir(parents=True)
    user.write_text("otb_path = '/user'")
    assert env_settings().otb_path == "/user"
    (tmp_path / "ettrack.toml").write_text("otb_path = '/here'")
    assert env_settings().otb_path == "/here"
    (tmp_path / "named.toml").write_text("otb_path = '/named'")
    monkeypatch.setenv("PYTRACKING_ET_SETTINGS", str(tmp_path / "named.toml"))
    assert env_settings().otb_path == "/named"


def test_relative_paths_count_from_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings_path().write_text("otb_path = 'data/otb'\nuav_path = '/b'\n")
    settings = env_settings()
    assert settings.otb_path == str(settings_path().parent / "data/otb")
    assert settings.uav_path == "/b"


def test_relative_variables_count_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", "otb")
    settings = env_settings()
    assert settings.otb_path == str(tmp_path / "otb")


def test_what_only_pytracking_reads_is_passed_over():
    settings_path().write_text("".join(f"{name} = ['/a', '/b']\n" for name in UNREAD))
    assert {getattr(env_settings(), name) for name in UNREAD} == {""}
    assert set(UNREAD) < set(PYTRACKING) and not set(UNREAD) & set(NAMES)


def test_an_attribute_that_is_no_setting_is_named():
    with pytest.raises(AttributeError, match="no setting 'otb'; known: results_path"):
        env_settings().otb  # noqa: B018


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", "~/otb")
    assert env_settings().otb_path == str(Path("~/otb").expanduser())


@pytest.mark.parametrize(
    ("variable", "use"),
    [
        ("PYTRACKING_ET_OTB_PATH", env_settings),
        ("PYTRACKING_ET_SETTINGS", env_settings),
        (None, lambda: dataset_root(("otb_path",), "otb", "~no-such-user/a")),
    ],
)
def test_a_home_that_there_is_none_of(monkeypatch, variable, use):
    if variable:
        monkeypatch.setenv(variable, "~no-such-user/a")
    with pytest.raises(ParameterError, match="'~no-such-user/a' .*write the path in full"):
        use()


def test_tables_of_other_parts_and_empty_entries_are_passed_over():
    settings_path().write_text("otb_path = ''\n[training]\nworkspace_dir = '/w'\n")
    assert env_settings().otb_path == ""
    assert read_toml(settings_path())["training"] == {"workspace_dir": "/w"}


WINDOWS = [
    r"C:\Users\me\OTB 100",
    r"C:\data\new\tracking",
    r"\\server\share\UAV123",
    "D:/mixed\\slashes",
    r"C:\Benutzer\Jürgen\データ",
    r"C:\it's here\otb",
    r"C:\trailing" + "\\",
]


@pytest.mark.parametrize("text", WINDOWS)
def test_windows_paths_survive_the_file(text):
    assert write_settings(settings_path(), {"otb_path": text})
    assert env_settings().otb_path == text
    assert read_settings(settings_path()) == {"otb_path": text}


@pytest.mark.parametrize("text", WINDOWS)
def test_windows_paths_survive_a_variable(monkeypatch, text):
    monkeypatch.setenv("PYTRACKING_ET_OTB_PATH", text)
    assert env_settings().otb_path == text


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        (r"data\otb", PureWindowsPath(r"C:\work"), r"C:\work\data\otb"),
        ("data/otb", PureWindowsPath(r"C:\work"), r"C:\work\data\otb"),
        (r"D:\otb", PureWindowsPath(r"C:\work"), r"D:\otb"),
        (r"\\nas\otb", PureWindowsPath(r"C:\work"), r"\\nas\otb"),
        ("data/otb", PurePosixPath("/project"), "/project/data/otb"),
        ("/otb", PurePosixPath("/project"), "/otb"),
        (r"D:\otb", PurePosixPath("/project"), r"D:\otb"),
    ],
)
def test_resolve(text, base, expected):
    assert resolve(text, base) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (PureWindowsPath(r"C:\Users\me"), r"'C:\Users\me'"),
        ("/data/otb", "'/data/otb'"),
        (r"C:\it's", r'"C:\\it' + "'" + 's"'),
    ],
)
def test_toml_text(value, expected):
    assert toml_text(value) == expected


@pytest.mark.parametrize("text", ["a\nb", "it's\tmine"])
def test_toml_text_refuses_control_characters(text):
    with pytest.raises(ParameterError, match="control character"):
        toml_text(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'otb_path = "C:\\Users\\me"', "single quotes"),
        (b'otb_path = "C:\\tracking\\new"', "control character"),
        (b"otb_path = C:\\data", "cannot read .*ettrack.toml .*the settings file"),
        (b"otb_path = 3", "otb_path = 3 .* is not a path"),
        (b"otb_path = ['/a', '/b']", "is not a path"),
        (b"otb_pth = '/a'", "did you mean 'otb_path'"),
        (b"colour = 'red'", "known: results_path, "),
        ("otb_path = '/a'".encode("utf-16"), "TOML in UTF-8"),
        (
            b"[training]\nworkspace_dir = '/w'\notb_path = '/a'",
            r"otb_path in .* below \[training\]",
        ),
        (b"[otb_path]\nroot = '/a'", "is not a path"),
        (b"otb_path = '~no-such-user/a'", "otb_path in .*a user who has no home folder"),
    ],
)
def test_mistakes_in_the_file_are_explained_and_the_file_is_kept(content, message):
    settings_path().write_bytes(content)
    with pytest.raises(ParameterError, match=message) as caught:
        env_settings()
    assert str(settings_path()) in str(caught.value)
    assert settings_path().read_bytes() == content


def test_byte_order_mark_is_allowed():
    settings_path().write_bytes(b"\xef\xbb\xbfotb_path = '/a'")
    assert env_settings().otb_path == "/a"


def test_template_names_everything_and_sets_nothing(tmp_path):
    path = tmp_path / "new" / "ettrack.toml"
    assert write_settings(path)
    assert read_settings(path) == {}
    text = path.read_text(encoding="utf-8")
    assert all(f"# {name} = " in text for name in NAMES)
    # Every line of settings becomes valid TOML once its mark is removed.
    path.write_text("\n".join(line[2:] for line in text.splitlines() if " = '" in line[:40]))
    assert set(read_toml(path)) == set(NAMES)


def test_unknown_values_and_folders_that_cannot_be_written(tmp_path):
    with pytest.raises(ParameterError, match="unknown setting 'otb'"):
        write_settings(tmp_path / "ettrack.toml", {"otb": "/a"})
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="cannot write the settings file"):
        write_settings(tmp_path / "file" / "ettrack.toml")
    with pytest.raises(ParameterError, match=r"is a folder; name the file, as .*ettrack\.toml"):
        write_settings(tmp_path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file"]


def test_root_of_a_data_set(tmp_path, monkeypatch):
    settings = ("uav123_10fps_path", "uav_path")
    with pytest.raises(DatasetError, match="PYTRACKING_ET_UAV123_10FPS_PATH"):
        dataset_root(settings, "uav123_10fps", None)
    monkeypatch.setenv("PYTRACKING_ET_UAV_PATH", str(tmp_path))
    assert dataset_root(settings, "uav123_10fps", None) == tmp_path
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("PYTRACKING_ET_UAV123_10FPS_PATH", str(tmp_path / "own"))
    assert dataset_root(settings, "uav123_10fps", None) == tmp_path / "own"
    assert dataset_root(settings, "uav123_10fps", str(tmp_path)) == tmp_path
    with pytest.raises(DatasetError, match="--dataset-root"):
        dataset_root(settings, "uav123_10fps", tmp_path / "gone")


def test_without_a_settings_file_no_parser_is_needed(tmp_path):
    """Where Python has none (3.10), an installation for tracking alone has no tomli either."""
    code = (
        "import sys; sys.modules.update(tomllib=None, tomli=None)\n"
        "from pytracking_et.settings import env_settings; print(env_settings().results_path)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""Where results and data sets live: the settings of pytracking's `local.py`, as data.

Each setting is looked up in this order, and the first place that names it wins:

1. an argument (`--dataset-root`, `root=`), handled by the caller;
2. the environment variable `PYTRACKING_ET_<NAME>`, e.g. `PYTRACKING_ET_OTB_PATH`;
3. one TOML file, the first that exists of: the one `PYTRACKING_ET_SETTINGS` names, `ettrack.toml`
   in the current folder, `ettrack.toml` in the user's configuration folder (`ettrack init`);
4. the default: '' (not set) for data sets, folders in `evaluation_results` for the rest.

The file is data, so a mistake in it is an error message and never a reason to overwrite it.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from .errors import DatasetError, ParameterError
from .files import atomic_open, home, reading

PREFIX = "PYTRACKING_ET_"
FILE_NAME = "ettrack.toml"


def _setting(group: str, comment: str) -> Any:
    return field(default="", metadata={"group": group, "comment": comment})


RESULTS, DATASETS, PACKED = (
    "Where results go",
    "Data sets",
    "Packed files for evaluation servers",
)


@dataclass
class EnvironmentSettings:
    """All settings under pytracking's attribute names; every value is text, '' where not set."""

    results_path: str = _setting(RESULTS, "result files: NAME/PARAM[_RUN]/SEQUENCE.txt")
    segmentation_path: str = _setting(RESULTS, "segmentation results")
    result_plot_path: str = _setting(RESULTS, "tables, plots and reports")

    otb_path: str = _setting(DATASETS, "OTB-100: holds Basketball/img/0001.jpg")
    uav_path: str = _setting(DATASETS, "UAV123: holds data_seq/UAV123 and anno/UAV123")
    uav123_10fps_path: str = _setting(
        DATASETS, "UAV123@10fps: holds data_seq/UAV123_10fps; uav_path where not set"
    )
    nfs_path: str = _setting(
        DATASETS, "Need for Speed: the official folders (SEQ/30/SEQ) or sequences/ and anno/"
    )
    tpl_path: str = _setting(DATASETS, "Temple Color 128: holds tpl_Biker/img/0001.jpg")
    vot_path: str = _setting(DATASETS, "VOT2018: holds ants1/color/00000001.jpg")
    got10k_path: str = _setting(DATASETS, "GOT-10k: holds test/ and val/")
    lasot_path: str = _setting(DATASETS, "LaSOT: holds airplane/airplane-1/img")
    lasot_extension_subset_path: str = _setting(DATASETS, "LaSOT extension: holds atv/atv-1/img")
    trackingnet_path: str = _setting(DATASETS, "TrackingNet: holds TEST/frames and TEST/anno")

    got_packed_results_path: str = _setting(PACKED, "GOT-10k archives")
    got_reports_path: str = _setting(PACKED, "reports that the GOT-10k server returned")
    tn_packed_results_path: str = _setting(PACKED, "TrackingNet archives")

    def __getattr__(self, name: str) -> str:
        if name in UNREAD:
            return ""
        raise AttributeError(f"no setting {name!r}; known: {', '.join(NAMES)}")


NAMES = tuple(item.name for item in fields(EnvironmentSettings))
# More names of pytracking's `local.py`. Nothing here reads them, so they are '' whatever a settings
# file says, which may be written for both.
UNREAD = (
    "network_path",
    "oxuva_path",
    "avist_path",
    "lagot_path",
    "davis_dir",
    "youtubevos_dir",
    "dataspec_path",
    "got10k_mask_path",
    "lasot_mask_path",
    "trackingnet_mask_path",
)


def env_settings() -> EnvironmentSettings:
    """Read the settings; see the module's text for the order of the places.

    Raises:
        ParameterError: the settings file cannot be parsed, holds an unknown name or a value that
            is not a path.
    """
    values = _defaults()
    path = settings_file()
    if path is not None:
        values.update(read_settings(path))
    given = {name: os.environ.get(PREFIX + name.upper()) for name in NAMES}
    values.update({name: resolve(text, Path.cwd()) for name, text in given.items() if text})
    return EnvironmentSettings(**values)


def settings_file() -> Path | None:
    """The TOML file in use, or None. A file named by PYTRACKING_ET_SETTINGS may be absent."""
    # os.path: a folder that may not be entered holds none, and is no error (Path.is_file).
    return next((path for path in settings_places() if os.path.isfile(path)), None)  # noqa: PTH113


def settings_places() -> list[Path]:
    """The places where a settings file is looked for, in order."""
    named = os.environ.get(PREFIX + "SETTINGS")
    if named:
        return [expanded(named)]
    return [Path.cwd() / FILE_NAME, user_folder() / FILE_NAME]


def user_folder() -> Path:
    """The user's configuration folder by the system's convention; not created here."""
    if os.name == "nt":
        base = Path(os.environ.get("APPDATA") or home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or home() / ".config")
    return base / "pytracking_et"


def read_settings(path: Path) -> dict[str, str]:
    """Read the top-level settings of a TOML file; relative paths count from the file's folder.

    Tables (`[training]`, ...) belong to other parts and are passed over, as is what only pytracking
    reads. Entries that are '' are as good as absent.

    Raises:
        ParameterError: not TOML, unknown name, not a path, or a setting below the head of a table,
            to which TOML gives it; names the file and what to do.
    """
    settings: dict[str, str] = {}
    for name, value in read_toml(path).items():
        if isinstance(value, dict) and name not in NAMES:
            _refuse_inside(name, value, path)
            continue
        if name in UNREAD:
            continue
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(NAMES)}"
            raise ParameterError(f"unknown setting {name!r} in {path}; {hint}")
        if value:
            settings[name] = _checked_value(name, value, path)
    return settings


def _refuse_inside(table: str, values: Mapping[str, Any], path: Path) -> None:
    inside = [name for name in values if name in NAMES]
    if inside:
        raise ParameterError(
            f"{', '.join(inside)} in {path} stands below [{table}] and so belongs to that table; "
            "settings come before the first line in square brackets: move it up"
        )


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; a byte order mark, as Windows editors write it, is allowed.

    Raises:
        ParameterError: the file cannot be read, or is not TOML in UTF-8.
    """
    advice = (
        "the settings file must be TOML in UTF-8; write paths in single quotes, where backslashes "
        "need no escape: otb_path = 'C:\\data\\OTB'"
    )
    # Here, as an installation for tracking alone on Python 3.10 has no tomli.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with reading(path, ParameterError, advice):
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))


def _checked_value(name: str, value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise ParameterError(f"{name} = {value!r} in {path} is not a path; write it in quotes")
    # In double quotes TOML turns the \t of "C:\tracking" into a tab without any error.
    if any(ord(letter) < 32 for letter in value):
        raise ParameterError(
            f"{name} = {value!r} in {path} holds a control character; write the path in single "
            "quotes, where backslashes need no escape"
        )
    try:
        return resolve(value, path.parent)
    except ParameterError as error:
        raise ParameterError(f"{name} in {path}: {error}") from error


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with `~` or `~user` at its start as that home folder.

    Raises:
        ParameterError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ParameterError(
            f"{os.fspath(path)!r} begins with a user who has no home folder here; write the path "
            "in full, or ./ before it where a file is called so"
        ) from error


def resolve(text: str, base: PurePath) -> str:
    """Expand `~` and make a relative path absolute against `base` (of either path flavor).

    Raises:
        ParameterError: as of `expanded`.
    """
    if text.startswith("~"):
        text = str(expanded(text))
    # On any system: settings may be shared between systems.
    absolute = PureWindowsPath(text).is_absolute() or PurePosixPath(text).is_absolute()
    return text if absolute else str(base / text)


def _defaults() -> dict[str, str]:
    # In a checkout, as in pytracking, results stay with the code whatever the current folder is,
    # so that `ettrack results` finds what `run_tracker.py` wrote from inside pytracking_et/.
    checkout = Path(__file__).resolve().parents[1]
    home = checkout if (checkout / "setup.py").is_file() else Path.cwd()
    results = home / "evaluation_results"
    return {
        "results_path": str(results),
        "segmentation_path": str(results / "segmentation"),
        "result_plot_path": str(results / "plots"),
        "got_packed_results_path": str(results / "packed" / "got10k"),
        "got_reports_path": str(results / "packed" / "got10k_reports"),
        "tn_packed_results_path": str(results / "packed" / "trackingnet"),
    }


def toml_text(value: str | PurePath) -> str:
    """Write a path as a TOML string: literal (single quotes), so that backslashes stay as typed."""
    text = str(value)
    if any(ord(letter) < 32 for letter in text):
        raise ParameterError(f"{text!r} is not a usable path: it holds a control character")
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def settings_template(values: Mapping[str, str] | None = None) -> str:
    """Text of a settings file: every setting with its comment, commented out where not given."""
    given = dict(values or {})
    defaults = _defaults()
    lines = [
        "# Settings of pytracking-et (ettrack). `ettrack init` wrote this file once and will not",
        "# touch it again. Remove the # before a line to set it. Write paths in single quotes:",
        "# 'C:\\data\\OTB100' needs no doubled backslashes. Relative paths count from this file's",
        "# folder. An environment variable wins over it: PYTRACKING_ET_OTB_PATH for otb_path.",
    ]
    group = None
    for item in fields(EnvironmentSettings):
        if item.metadata["group"] != group:
            group = item.metadata["group"]
            lines += ["", f"# --- {group}"]
        mark = "" if item.name in given else "# "
        text = toml_text(given.get(item.name) or defaults.get(item.name, ""))
        lines += [f"# {item.metadata['comment']}", f"{mark}{item.name} = {text}"]
    return "\n".join(lines) + "\n"


def write_settings(path: Path, values: Mapping[str, str] | None = None) -> bool:
    """Write the settings file unless there is one; returns whether it was written.

    Raises:
        ParameterError: `values` names an unknown setting, `path` is a folder, or it cannot be
            written.
    """
    for name in values or {}:
        if name not in NAMES:
            raise ParameterError(f"unknown setting {name!r}; known: {', '.join(NAMES)}")
    if path.is_dir():
        raise ParameterError(f"{path} is a folder; name the file, as {path / FILE_NAME}")
    if path.exists():
        return False
    text = settings_template(values)
    try:
        with atomic_open(path) as stream:
            stream.write(text)
    except OSError as error:
        raise ParameterError(f"cannot write the settings file {path}: {error}") from error
    return True


def dataset_root(settings: tuple[str, ...], name: str, root: str | os.PathLike[str] | None) -> Path:
    """Folder of a data set: `root` where given, else the first of its `settings` that is set.

    Raises:
        DatasetError: nothing names the folder, or it does not exist; says where to set it.
    """
    if root is not None:
        folder, origin = expanded(root), "--dataset-root / root="
    else:
        environment = env_settings()
        key = next((key for key in settings if getattr(environment, key)), None)
        if key is None:
            raise DatasetError(
                f"the folder of data set {name!r} is not known: pass --dataset-root FOLDER, set "
                f"{PREFIX}{settings[0].upper()}, or set {settings[0]} in "
                f"{settings_file() or settings_places()[-1]} (`ettrack init` writes that file)"
            )
        folder, origin = Path(getattr(environment, key)), key
    if not folder.is_dir():
        raise DatasetError(f"data set {name!r}: '{folder}' is not a folder (from {origin})")
    return folder

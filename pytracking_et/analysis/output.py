"""Where pytracking's functions write: `<result_plot_path>/<report_name>/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .boxfiles import PathArgument
from .figures import FORMATS


def output(
    report_name: str, kwargs: Mapping[str, Any]
) -> tuple[Path, Sequence[str], dict[str, Any]]:
    """Folder and formats of the report, and what is left for `compare`."""
    options = dict(kwargs)
    # pytracking's switch for a progress bar; reading takes less time than drawing one.
    options.pop("verbose", None)
    formats = options.pop("formats", FORMATS)
    chosen: PathArgument | None = options.pop("output", None)
    return Path(chosen or setting("result_plot_path")) / report_name, formats, options


def setting(name: str) -> str:
    """A path of the settings."""
    # The settings belong to the room above, which need not be there to analyse a folder.
    from ..evaluation import env_settings

    return getattr(env_settings(), name)

"""Parameter files of the tracker `et_tracker`; each has a function `parameters()`.

`et_tracker`, `et_tracker_published` and `lt_mobile` are files. Every other row of the networks'
table (configurations.json) is a module too, made on import: the published loop around that network.
A file of that name beside this one takes precedence.
"""

import json
import sys
from importlib import resources
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from pathlib import Path

_FILE = '''"""{summary}.

In the published loop.
"""

from pytracking_et.tracker.params import TrackerParams, published


def parameters() -> TrackerParams:
    """Published constants; only the network differs."""
    return published("{name}")
'''


def made_files() -> dict[str, str]:
    """Name of a parameter file that lies in the table alone -> its Python source."""
    # The file, not `network.configurations()`, which would import torch.
    table = resources.files("pytracking_et.network").joinpath("configurations.json")
    rows = json.loads(table.read_text("utf-8"))
    return {
        name: _FILE.format(name=name, summary=row["summary"][0].upper() + row["summary"][1:])
        for name, row in rows.items()
        if not (Path(__file__).parent / f"{name}.py").is_file()
    }


class _MadeFiles(InspectLoader):
    """Finder and loader of the modules of `made_files`; asked after those that lie on disk."""

    def __init__(self) -> None:
        self.sources = {f"{__name__}.{name}": text for name, text in made_files().items()}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self.sources else None

    def get_source(self, name: str) -> str:
        return self.sources[name]


sys.meta_path.append(_MadeFiles())

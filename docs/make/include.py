"""What the manual takes from elsewhere: the example notebook, and parts of the README.

python docs/make/include.py     run the notebook again, keep what it prints and draws (extra test)

mkdocs calls `on_page_markdown`, which replaces comments: `<!-- notebook: PATH -->`, below docs/,
and `<!-- README: TITLE -->`, a section, or the block of a language: `<!-- README: bibtex -->`.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "examples" / "first_minutes.ipynb"
# Colors of the picture: a tenth of its bytes.
COLORS = 64


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Markdown of a page, with what its comments ask for."""
    markdown = re.sub(
        r"<!-- notebook: (\S+) -->", lambda match: shown(ROOT / "docs" / match[1]), markdown
    )
    return re.sub(r"<!-- README: (.+) -->", lambda match: of_readme(match[1]), markdown)


def of_readme(name: str) -> str:
    """A section of the README, with its heading, or a code block, with its fences."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    name = re.escape(name)
    part = rf"^## {name}\n.*?(?=^## |\Z)|^```{name}\n.*?^```$"
    return re.findall(part, text, flags=re.DOTALL | re.MULTILINE)[0].rstrip()


def shown(path: Path) -> str:
    """A notebook as Markdown: its texts, one heading lower, its code and its outputs."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"^#", "##", source, flags=re.MULTILINE))
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            if "text" in output:
                parts.append(f"```text\n{''.join(output['text']).rstrip()}\n```")
            else:
                picture = "".join(output["data"]["image/png"]).replace("\n", "")
                parts.append(f"![What this code draws](data:image/png;base64,{picture})")
    return "\n\n".join(parts)


def run(notebook: Any) -> None:
    """Run a notebook, whose outputs become what this Python prints and draws."""
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    # The kernel of this interpreter, whichever the machine has registered under this name.
    kernels = AsyncKernelManager()
    kernels.kernel_spec.argv[0] = sys.executable
    NotebookClient(notebook, km=kernels, record_timing=False).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Standard error names the engine of this machine.
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
            for output in cell.outputs:
                if "data" in output:
                    output.data = {"image/png": smaller(output.data["image/png"])}
    notebook.metadata.pop("language_info", None)  # the version of this Python


def smaller(png: str) -> str:
    """A PNG in base64 with `COLORS` colors."""
    from PIL import Image

    stream = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.quantize(COLORS).save(stream, "png", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def main() -> None:
    """Run the notebook and write it with its outputs."""
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    run(notebook)
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()

"""What of the tests to run once more with the extras: `again.py plain.xml`, pytest's JUnit XML.

Files of which the run without extras skipped something, and the folders that take whatever engine
is installed. Everything else has passed and imports no extra.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

found = {"tests/commands", "tests/docs", "tests/engines", "tests/integrations"}
found.update(path.as_posix() for path in Path("tests").glob("test_*.py"))
for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
    if case.find("skipped") is None:
        continue
    # tests.engines.test_auto, a class after it; a file or folder skipped whole stands as the name.
    parts = (case.get("classname") or case.get("name") or "").split(".")
    places = [Path(*parts[:end]) for end in range(len(parts), 1, -1)]
    there = [path.with_suffix(".py") for path in places if path.with_suffix(".py").is_file()]
    there += [path for path in places if path.is_dir()]
    if not there:
        sys.exit(f"the skipped test {case.get('classname')!r} {case.get('name')!r} is in no file")
    found.add(there[0].as_posix())
nested = {path for path in found if any(str(parent) in found for parent in Path(path).parents)}
print(*sorted(found - nested), end="")

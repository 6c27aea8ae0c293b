"""The page about segments, and the columns that it lists."""

import re

from tests.support.documents import ROOT

PAGE = (ROOT / "docs/reference/segments.md").read_text()
COLUMNS = re.findall(
    r"^\| `(\w+)` \| `(\w+)`(.*?) \| (.*?) \| (.*?) \| (.*?) \|", PAGE, re.MULTILINE
)

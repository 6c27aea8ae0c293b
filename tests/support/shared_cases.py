"""Small inputs that other programs were reported to fail on; they lie outside the repository."""

from pathlib import Path

import pytest

CASES = Path(__file__).parents[3] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")

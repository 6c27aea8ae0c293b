"""The way in: starts the command line, and says so where another module hides our packages.

The client interfaces are imported on first use.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projections import Engagements, EngagementTracker, IssueEngagementRepository

__all__ = [
    "EngagementTracker",
    "Engagements",
    "IssueEngagementRepository",
    "main",
    "require_own",
]

_HERE = Path(__file__).parent


def require_own(*packages: str) -> None:
    """Raise ImportError, which names the culprit, where Python finds one of `packages` elsewhere.

    Nothing of what it finds is run.
    """
    for package in packages:
        spec = find_spec(package)
        origin = spec.origin if spec else None
        if origin and Path(origin).parent.resolve() != (_HERE / package).resolve():
            message = (
                f"{origin} hides the package {package} of engagement-ledger: give it another name"
            )
            raise ImportError(message, name=package, path=origin)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import one of the client interfaces."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_own("projections")
    return getattr(import_module("projections"), name)


def main() -> None:
    """Run the command line."""
    try:
        require_own("bot", "projections", "ledger")
    except ImportError as error:
        sys.exit(f"error: {error}")
    from bot.cli import main as run  # noqa: PLC0415 - only now it is known to be ours

    run()


if __name__ == "__main__":
    main()

"""The way in: starts the command line, and says so where another module hides our packages."""

import sys
from importlib.util import find_spec
from pathlib import Path

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

"""``python -m regulars``: the command line."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from regulars.interfaces.cli.program import run  # noqa: PLC0415 -- an interrupt while this loads is quiet too

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""``python -m regulars``: the command line."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        # Imported here, so that an interrupt while they load is quiet too.
        from regulars.interfaces.cli.program import run  # noqa: PLC0415
        from regulars.interfaces.cli.stopping import end_soon_after_ctrl_c  # noqa: PLC0415

        end_soon_after_ctrl_c()
        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""What a result was measured on, without saying whose machine it is."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Cores, memory, and the versions that matter."""
    import chdb  # noqa: PLC0415 -- only its engine knows its version, and it is large

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": cores(),
        "memory_gb": round(memory / 1e9, 1),
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "clickhouse": chdb.engine_version,
        "regulars": version("regulars"),
    }

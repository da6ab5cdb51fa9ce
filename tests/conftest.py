"""What every test can ask for."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("torture", parent=settings.get_profile("default"), max_examples=1000)
settings.load_profile("default")

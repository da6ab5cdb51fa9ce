"""What every test run shares: how hypothesis draws.

``default`` draws the same examples every time, so that a red run is about the change and can be repeated. ``torture``
(``make torture``) draws new ones, many more, and is where unknown mistakes are looked for.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("torture", parent=settings.get_profile("default"), max_examples=1000, derandomize=False)
settings.load_profile("default")

"""How the documentation is built: `make docs`."""

from importlib.metadata import version as installed_version

project = "Regulars"
author = "The Regulars maintainers"
project_copyright = author
release = installed_version("regulars")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Regulars {release}"
html_copy_source = False

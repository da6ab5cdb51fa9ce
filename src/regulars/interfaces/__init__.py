"""The faces of Regulars. Each builds a ``Query`` and shows a ``Result``; none of them holds metric logic."""

"""How fast Regulars is, measured against engines that do the same work: ``python -m benchmarks``."""

"""How a query runs, one module per engine, each with the same methods in the same order."""

"""The verbs: load, refresh, query. Functions whose first argument is an engine."""

"""The operational store in PostgreSQL: one schema per workspace, for collectors on several machines."""

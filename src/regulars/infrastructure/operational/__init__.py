"""The operational store: what a workspace must remember before, or beside, the warehouse."""

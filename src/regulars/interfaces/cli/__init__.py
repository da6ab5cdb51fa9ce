"""The command line: one module per command, and the few that shape what they all print."""

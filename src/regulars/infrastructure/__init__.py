"""Everything that touches a driver, a file or the clock of the machine."""

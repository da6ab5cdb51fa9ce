"""What every number means. No input or output, no clock, no drivers."""

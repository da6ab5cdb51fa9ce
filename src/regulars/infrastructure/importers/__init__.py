"""From a file, a frame or a list to rows with named columns."""

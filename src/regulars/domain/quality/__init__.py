"""The checks of the data: what each looks for, when it fails, and what to do then."""

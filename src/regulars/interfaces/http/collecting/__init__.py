"""From a request with events to the journal: bounded reading, decoding, judging, appending."""

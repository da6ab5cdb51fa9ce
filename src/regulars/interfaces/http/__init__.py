"""The faces that speak HTTP: the collector of events, the questions, and the processes in which they run."""

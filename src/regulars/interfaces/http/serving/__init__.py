"""The processes of a server: started, watched, drained and ended."""

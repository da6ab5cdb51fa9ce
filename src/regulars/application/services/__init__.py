"""The nouns of an application that embeds analytics: thin faces on one workspace.

Numbers are asked of :meth:`regulars.Workspace.metric`, as by every other face. What is a service's own are explicit
sessions, the local day of now as the default day, and records instead of rows. A day without events is a silent day:
unlike a report, a running program knows that nobody came.
"""

"""Reports: which questions are asked in which order, and what their answers say; no layout.

:mod:`.declarations` lists the reports as data, :mod:`.compose` answers one, and
:mod:`regulars.interfaces.reports` shows it.
"""

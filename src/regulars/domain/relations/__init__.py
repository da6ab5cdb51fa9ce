"""Named relations in reading order, from stored rows to counts per day.

::

    user_days   who was active on which day             rows.py    (only when answered from raw events;
                                                                    day_sets.py where each day stands alone)
    slices      the values of the breakdown, ranked     slices.py
    chain       active days, the gap to the one before  rows.py    (see "arrivals" in the design notes)
    spans       days on which an active day counts      spans.py
    held        spans cut where an attribute changes    moments.py
    changes     +1 where a span begins, -1 after it     counts.py
    days        the time axis with its buckets          counts.py
    counts      running sums: people per day            counts.py

Questions in which single events and their order matter begin with occurrences.py::

    events      events with the conditions they meet    occurrences.py
    members     who enters which cohort, and when       cohorts.py
    kept        who of them came back in which period   returns.py
    best        the attempt at a funnel that counts     attempts.py    (ways: chains.py, often on a line.py, and
                                                                        ladders.py where events meet;
                                                                        strict_order.py, any_order.py)
    seated      paths, step by step                     paths.py

Metrics with a composition of their own also read ``habits`` and ``ever`` (habits.py: people per tick), ``hits``
(hits.py: qualifying events with their bucket) and ``visits`` (visits.py: sessions). Every value that changes with time
is a relation of its own, named like it: from which day to which day each person holds which value (moments.py; cohorts
and segments: membership.py).

Days are integers (days since 1970-01-01) throughout, because engines disagree on date arithmetic.
"""

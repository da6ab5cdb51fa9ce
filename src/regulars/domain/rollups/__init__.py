"""How derived rows follow from facts.

Each text is one statement over facts and, where a refresh is incremental, over the temporary tables that name what
changed: ``touched`` (people), ``since`` (per person the first day whose rows must be made anew, and the instant from
which sessions must be), ``resumed`` (people whose stored session goes on), and ``dirty`` (both per identity).
"""

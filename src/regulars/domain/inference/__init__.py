"""Experiments and scores: numbers in, numbers out. No workspace, no warehouse, no clock, no chance.

``compare`` answers most questions about two arms, and ``conclude`` puts the answer into words; the rest are its parts.
The score itself is ``regulars.domain.inference.nps.nps``.
"""

from regulars.domain.inference.assignment import Allocation, Assignment, Decision, Namespace, assign, variant_names
from regulars.domain.inference.bayes import FLAT, SCEPTICAL, Posterior, Prior, posterior
from regulars.domain.inference.best import Best, best_mean, best_share
from regulars.domain.inference.comparison import Comparison, compare
from regulars.domain.inference.effects import Effect, difference, lift
from regulars.domain.inference.health import SampleRatio, SeveralVariants, sample_ratio, several_variants
from regulars.domain.inference.moments import Estimate, Moments, PairedMoments, capped, estimate, percentile_cap
from regulars.domain.inference.multiple import benjamini_hochberg, bonferroni, holm
from regulars.domain.inference.nps import Answers, Nps, NpsChange, answers, change
from regulars.domain.inference.power import (
    Needed,
    days_left,
    detectable_difference,
    detectable_share,
    power_of_means,
    power_of_shares,
    still_needed,
    users_for_means,
    users_for_shares,
)
from regulars.domain.inference.proportions import Outcome, share_interval, share_test, shares_test
from regulars.domain.inference.reasons import Reason
from regulars.domain.inference.sequential import always_valid
from regulars.domain.inference.verdict import Conclusion, Guardrail, Verdict, conclude, guardrail

__all__ = [
    "FLAT",
    "SCEPTICAL",
    "Allocation",
    "Answers",
    "Assignment",
    "Best",
    "Comparison",
    "Conclusion",
    "Decision",
    "Effect",
    "Estimate",
    "Guardrail",
    "Moments",
    "Namespace",
    "Needed",
    "Nps",
    "NpsChange",
    "Outcome",
    "PairedMoments",
    "Posterior",
    "Prior",
    "Reason",
    "SampleRatio",
    "SeveralVariants",
    "Verdict",
    "always_valid",
    "answers",
    "assign",
    "benjamini_hochberg",
    "best_mean",
    "best_share",
    "bonferroni",
    "capped",
    "change",
    "compare",
    "conclude",
    "days_left",
    "detectable_difference",
    "detectable_share",
    "difference",
    "estimate",
    "guardrail",
    "holm",
    "lift",
    "percentile_cap",
    "posterior",
    "power_of_means",
    "power_of_shares",
    "sample_ratio",
    "several_variants",
    "share_interval",
    "share_test",
    "shares_test",
    "still_needed",
    "users_for_means",
    "users_for_shares",
    "variant_names",
]

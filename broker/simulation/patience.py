"""How long recorded customers would have waited, of which only part was seen.

Who gave up told its patience. Who was served told only that it is longer than the wait: its patience is *censored*. To
take the first alone would make customers look much less patient than they are, as the patient ones are those who get
served. E. L. Kaplan, P. Meier, "Nonparametric Estimation from Incomplete Observations", Journal of the American
Statistical Association 53, 1958, has the estimate that uses both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from random import Random

import attrs


@attrs.frozen
class Survival:
    """The Kaplan-Meier estimate of the share of customers that are more patient than t."""

    times: tuple[int, ...]
    """When somebody gave up (ms of waiting), ascending, each once."""
    left: tuple[float, ...]
    """The share that is more patient than the time at the same place."""

    def beyond(self, t: int) -> float:
        """The share that is more patient than ``t`` ms."""
        index = bisect_right(self.times, t)
        return self.left[index - 1] if index else 1.0

    def draw(self, chance: Random, longer_than: int) -> int | None:
        """A patience (ms) of somebody who is known to wait longer than ``longer_than`` ms. None for ever: nothing is
        known of those who are more patient than anybody who was seen to give up."""
        level = chance.random() * self.beyond(longer_than)
        index = bisect_right(self.times, longer_than)
        for time, left in zip(self.times[index:], self.left[index:], strict=True):
            if left <= level:
                return time
        return None


def kaplan_meier(gave_up: Sequence[int], served: Sequence[int]) -> Survival:
    """The estimate from the patience of those who gave up and the waits of those who were served (both in ms). Who was
    served at the very moment at which another gave up counts as having been at risk of it."""
    deaths, leaving = Counter(gave_up), Counter(served)
    at_risk, left = len(gave_up) + len(served), 1.0
    times, shares = [], []
    for time in sorted(deaths.keys() | leaving.keys()):
        if deaths[time]:
            left *= 1 - deaths[time] / at_risk
            times.append(time)
            shares.append(left)
        at_risk -= deaths[time] + leaving[time]
    return Survival(tuple(times), tuple(shares))

"""A pool for tests: everything is done with copies, as in another process, but in this one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence

from entropyguard.core.pool.pool import Heard, InlinePool, R, U, Work, unheard

_MOST_BYTES = 4_000


class SendingPool(InlinePool):
    """Sends work and units through pickle, the last unit first, and each twice: no result may depend on that."""

    def map(
        self, work: Work[U, R], units: Sequence[U], heard: Heard[U] = unheard, *, threaded: bool = False
    ) -> Iterator[R]:
        sent = pickle.dumps(work)
        assert len(sent) < _MOST_BYTES
        copy: Work[U, R] = pickle.loads(sent)  # noqa: S301  our own
        units = pickle.loads(pickle.dumps(units))  # noqa: S301
        done = [list(super(SendingPool, self).map(copy, units[::-1], heard, threaded=threaded)) for _ in range(2)]
        yield from done[1][::-1]

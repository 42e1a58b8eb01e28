"""A pool for tests: everything is done with copies, as in another process, but in this one."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Sequence

from entropyguard.core.pool.pool import Fact, Heard, InlinePool, R, U, Work, unheard

_MOST_BYTES = 20_000


class SendingPool(InlinePool):
    """Sends work and units through pickle, the last unit first, and each twice: no result may depend on that."""

    workers = 2

    def map(
        self,
        work: Work[U, R],
        units: Sequence[U],
        heard: Heard[U] = unheard,
        *,
        threaded: bool = False,
        gpu: bool = False,  # noqa: ARG002  there is none here
        facts: Sequence[Fact] = (),
    ) -> Generator[R]:
        sent = pickle.dumps((work, facts))
        assert len(sent) < _MOST_BYTES
        copy: Work[U, R] = pickle.loads(sent)[0]  # noqa: S301  our own
        assert all(fact.tell() == fact.value for fact in pickle.loads(sent)[1])  # noqa: S301
        units = pickle.loads(pickle.dumps(units))  # noqa: S301
        for _ in range(2):
            done = list(super().map(copy, units[::-1], heard, threaded=threaded))
        yield from done[::-1]

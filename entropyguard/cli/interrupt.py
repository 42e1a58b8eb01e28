"""A run that was asked to end."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived; `exit_code` is 130 or 143. No Exception: nothing may take it for a failure."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


def raise_when_interrupted() -> None:
    """Let SIGINT and SIGTERM raise Interrupted in the main thread, the first of them only."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature of a signal handler
    # Once is enough: a second Ctrl-C must not cut the cleaning up short.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    raise Interrupted(signum)

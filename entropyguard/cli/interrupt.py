"""A run that was asked to end."""

from __future__ import annotations

import signal


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived; `exit_code` is 130 or 143. No Exception: nothing may take it for a failure."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum

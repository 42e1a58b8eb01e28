"""What `entropyguard verify` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A stage whose result is not what it should be, and why."""

    stage: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What verify found: `differences` fail it, `borderline` does not; `summary` says what was compared."""

    differences: tuple[Finding, ...]
    summary: str
    borderline: tuple[Finding, ...] = ()

    def lines(self) -> list[str]:
        """A line for each finding; the summary where nothing differs."""
        found = [f"{one.stage}: {one.reason}" for one in (*self.differences, *self.borderline)]
        return found if self.differences else [*found, self.summary]

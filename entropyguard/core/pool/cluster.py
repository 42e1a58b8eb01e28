"""What the dispatcher knows of where units are done: nodes that come and go, each with room for some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

LOCAL = "local"
"""The address that starts a Ray on this machine, and ends it."""

REFUSAL = "Ray's node "
"""How a line begins that says which node gets no units, and why."""

U_contra = TypeVar("U_contra", contravariant=True)


@dataclass(frozen=True)
class Joined:
    """A node takes units: `slots` at a time, by a name that no other node has or had."""

    node: str
    slots: int


@dataclass(frozen=True)
class Left:
    """A node takes no more units; what it had under way is reported for each unit."""

    node: str


@dataclass(frozen=True)
class Done:
    """A task came to its end, with what its unit came to."""

    task: int
    value: Any


@dataclass(frozen=True)
class Failed:
    """A task came to nothing. begun: whether it may have been the unit's fault; it was still waiting if not."""

    task: int
    error: Exception
    begun: bool = True


Event = Joined | Left | Done | Failed


class LostError(Exception):
    """Who did a unit is gone: its process or its machine ended; the message says how, as "its process was …"."""


class Cluster(Protocol, Generic[U_contra]):
    """Nodes that do one kind of work; for one map of a pool."""

    def submit(self, node: str, task: int, unit: U_contra) -> None:
        """Give a node that has joined a unit, by a number that is used once. It never fails: events tell."""

    def events(self, *, wait: bool) -> Sequence[Event]:
        """What happened since the last call. wait: until something has, or for a second or so.

        Raises ProcessingError when no node is left, and none will come.
        """

    def end(self) -> None:
        """Give up every task that is under way."""

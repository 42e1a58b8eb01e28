"""The nodes that a dispatcher may give units to: how full each is, and which of them only spoil what they get."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

_AHEAD = 2  # units a slot: one is done, one waits, so that no worker waits for the dispatcher
_MOST_FAILURES = 5  # in a row, before a node is left alone as long as there are others


@dataclass
class _Node:
    slots: int
    load: int = 0
    failures: int = 0
    """In a row."""

    @property
    def fullness(self) -> float:
        return self.load / self.slots


class Nodes:
    """All that have joined and have not left. Each operation takes the same time however many there are."""

    def __init__(self) -> None:
        self.slots = 0
        """Of all of them."""
        self._nodes: dict[str, _Node] = {}
        self._by_fullness: dict[float, dict[str, None]] = {}
        self._left_alone: set[str] = set()

    def join(self, name: str, slots: int) -> None:
        self._nodes[name] = _Node(slots)
        self.slots += slots
        self._place(name)

    def leave(self, name: str) -> None:
        self._displace(name)
        self.slots -= self._nodes.pop(name).slots
        self._left_alone.discard(name)
        self._forgive_if_alone()

    def take(self, avoided: Collection[str] = (), *, queue: bool = True) -> str | None:
        """The emptiest node, with one unit more; None if it is better to wait. avoided: if there is any other node.

        queue: whether a unit may also wait where all slots are taken.
        """
        if avoided and all(name in avoided for name in self._nodes if name not in self._left_alone):
            avoided = ()
        for fullness in sorted(self._by_fullness):
            if fullness >= (_AHEAD if queue else 1):
                break
            name = next((name for name in self._by_fullness[fullness] if name not in avoided), None)
            if name is not None:
                self._change_load(name, 1)
                return name
        return None

    def give_back(self, name: str) -> None:
        """A unit of the node's is no longer under way; nothing happens if the node has left."""
        if name in self._nodes:
            self._change_load(name, -1)

    def succeeded(self, name: str) -> None:
        if name in self._nodes:
            self._nodes[name].failures = 0

    def failed(self, name: str) -> None:
        """A unit failed there. A node that does nothing else would else take one after the other, and fast."""
        node = self._nodes.get(name)
        if node is None:
            return
        node.failures += 1
        if node.failures >= _MOST_FAILURES:
            self._displace(name)
            self._left_alone.add(name)
            self._forgive_if_alone()

    def _forgive_if_alone(self) -> None:
        """A bad node is better than none."""
        if len(self._left_alone) == len(self._nodes):
            for name in self._left_alone:
                self._nodes[name].failures = 0
            forgiven, self._left_alone = self._left_alone, set()
            for name in sorted(forgiven):
                self._place(name)

    def _change_load(self, name: str, change: int) -> None:
        self._displace(name)
        self._nodes[name].load += change
        if name not in self._left_alone:
            self._place(name)

    def _place(self, name: str) -> None:
        self._by_fullness.setdefault(self._nodes[name].fullness, {})[name] = None

    def _displace(self, name: str) -> None:
        fullness = self._nodes[name].fullness
        equals = self._by_fullness.get(fullness, {})
        equals.pop(name, None)
        if not equals:
            self._by_fullness.pop(fullness, None)

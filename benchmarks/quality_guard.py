"""The guard of semantic dedup: which wrong removals it prevents, and which right ones it costs.

    python benchmarks/quality_guard.py --data DIR [--each 20] [--log FILE --event REGEX]

Of pairs of texts at a cosine of 0.95 or more: sentences that people have judged, answers that begin alike and end
otherwise, edited copies. Then log lines, made, and of a system where a FILE is named: which rows go, and for a line of
another event; REGEX finds what of a line says its event, such as ' (status [a-z-]+|[a-z]+) ' in /var/log/dpkg.log. DIR
as for quality.py.
"""

from __future__ import annotations

import argparse
import collections
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from corpora import read_texts
from edits import GROUPS, inject
from measure import print_machine, print_table
from pipeline import encoded, packaged_model

_THRESHOLD = 0.95
_SAME = 4  # of 5: "mostly equivalent", below it a detail of weight differs
_LANGUAGES = ("en", "de", "fr", "pl")
_CORPORA = ("gpteacher", "debian_descriptions_en", "gsm8k", "alpaca_libre")
_ANSWERS = ("alpaca_libre", "gpteacher")
_WRONG = ("other", "look-alike")
_LINES = 3_000
_EVENTS = (
    "Received block blk_{n} of size {m} from {ip}",
    "Received block blk_{n} of size {m} src {ip} dest {ip}",
    "PacketResponder {k} for block blk_{n} terminating",
    "Verification succeeded for blk_{n}",
    "Connection from {ip} port {k} opened",
    "Connection from {ip} port {k} closed",
    "session opened for user {user} by (uid={k})",
    "session closed for user {user}",
    "authentication failure; logname= uid={k} rhost={ip} user={user}",
    "authentication succeeded; logname= uid={k} rhost={ip} user={user}",
    "Temperature of node {k} is below {m} degrees",
    "Temperature of node {k} is above {m} degrees",
    "Task {n} started on executor {k}",
    "Task {n} finished on executor {k} in {m} ms",
)

Pair = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--each", type=int, default=20, help="copies of each kind in each corpus [20]")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log lines of a system")
    parser.add_argument("--event", default="^(.)", metavar="REGEX", help="its first group is the event of a line")
    arguments = parser.parse_args()
    print_machine(["torch"])
    _judge_logs("made", *_made_log())
    if arguments.log:
        _judge_logs(arguments.log.name, *_read_log(arguments.log, re.compile(arguments.event)))
    lines = [_line(f"stsb, {language}", *_judged(arguments.data, language)) for language in _LANGUAGES]
    lines += [
        _line(f"{name}, one beginning, another end", _endings(arguments.data / f"{name}.parquet"), [])
        for name in _ANSWERS
    ]
    for kind, pairs in _edited(arguments.data, arguments.each).items():
        wrong = any(kind in GROUPS[group] for group in _WRONG)
        lines.append(_line(f"edited: {kind}", pairs if wrong else [], [] if wrong else pairs))
    header = ["pairs", "wrong", "prevented, %", "right", "lost, %", "kept apart by"]
    print_table(f"The guard, pairs at a cosine of {_THRESHOLD} or more", header, lines)


def _judged(data: Path, language: str) -> tuple[list[Pair], list[Pair]]:
    """Pairs that people judged, wrong ones to take for duplicates and right ones; of English all, else test and dev."""
    rows = [row for row in pq.read_table(data / "stsb_multi.parquet").to_pylist() if row["lang"] == language]
    rows = [row for row in rows if language == "en" or row["split"] != "train"]
    rows = [row for row in rows if row["text_a"].lower().split() != row["text_b"].lower().split()]
    pairs: tuple[list[Pair], list[Pair]] = ([], [])
    for row in rows:
        pairs[row["score"] >= _SAME].append((row["text_a"], row["text_b"]))
    return pairs


def _endings(path: Path) -> list[Pair]:
    """Instructions with their own answer, and with that of another row."""
    rows = random.Random(0).sample(pq.read_table(path).to_pylist(), 1_000)
    asked = [" ".join([row["instruction"], row["input"] or ""]).strip() for row in rows]
    answers = [row["output"] for row in rows]
    return [
        (f"{question}\n{own}", f"{question}\n{other}")
        for question, own, other in zip(asked, answers, answers[1:], strict=False)
        if own != other
    ]


def _edited(data: Path, each: int) -> dict[str, list[Pair]]:
    """Edited copies and their originals by kind."""
    pairs: dict[str, list[Pair]] = {kind: [] for group in GROUPS for kind in GROUPS[group] if group != "exact"}
    for name in _CORPORA:
        texts, injected = inject(read_texts(data / f"{name}.parquet", "text", 40 * each), each)
        for one in injected:
            if one.kind in pairs:
                pairs[one.kind].append((texts[one.parent], texts[one.row]))
    return pairs


def _line(label: str, wrong: Iterable[Pair], right: Iterable[Pair]) -> list[object]:
    """The pairs at the threshold, and the shares that the guard keeps apart."""
    counts: list[object] = []
    kinds = collections.Counter[str]()
    for pairs in (_similar(list(wrong)), _similar(list(right))):
        apart = [kind for kind in _kept_apart(pairs) if kind]
        kinds.update(apart)
        counts += [len(pairs), f"{100 * len(apart) / len(pairs):.1f}" if pairs else ""]
    return [label, *counts, ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())]


def _similar(pairs: Sequence[Pair]) -> list[Pair]:
    vectors = encoded([text for pair in pairs for text in pair], packaged_model())
    similarity = np.einsum("ij,ij->i", vectors[0::2], vectors[1::2])
    return [pair for pair, cosine in zip(pairs, similarity, strict=True) if cosine >= _THRESHOLD]


def _kept_apart(pairs: Sequence[Pair]) -> list[str | None]:
    """What keeps the texts of each pair apart, if anything."""
    from entropyguard.core.semantic.guard import KINDS, GuardedText, kept_apart
    from entropyguard.core.words.split import cased_words

    texts = pl.Series([text for pair in pairs for text in pair], dtype=pl.String)
    words = [GuardedText(tuple(one)) for one in cased_words(texts)]
    return [kept_apart(one, other, KINDS) for one, other in zip(words[0::2], words[1::2], strict=True)]


def _made_log() -> tuple[list[str], list[str]]:
    """Lines of several events, in any order, and the event of each."""
    rng = random.Random(0)
    events = [rng.choice(_EVENTS) for _ in range(_LINES)]
    return [_filled(event, rng) for event in events], events


def _read_log(path: Path, event: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Distinct lines of a log, at most so many, that say their event."""
    lines = dict.fromkeys(path.read_text(encoding="utf-8", errors="replace").splitlines())
    found = [(line, match[1]) for line in lines if (match := event.search(line))]
    found = sorted(random.Random(0).sample(found, min(_LINES, len(found))))
    return [line for line, _ in found], [its for _, its in found]


def _judge_logs(title: str, lines: Sequence[str], events: Sequence[str]) -> None:
    """Which lines go, by the rule of stars, with the guard and without."""
    vectors = encoded(lines, packaged_model())
    similarity = vectors @ vectors.T
    later, earlier = np.nonzero(np.tril(similarity >= _THRESHOLD, -1))
    apart = _kept_apart([(lines[b], lines[a]) for b, a in zip(later.tolist(), earlier.tolist(), strict=True)])
    found = []
    for label, left_out in (
        ("with the guard", [kind is not None for kind in apart]),
        ("without", [False] * len(apart)),
    ):
        keeper: dict[int, int] = {}
        for b, a, out in zip(later.tolist(), earlier.tolist(), left_out, strict=True):  # the pairs of a row together
            if not out and a not in keeper and (b not in keeper or similarity[b, a] > similarity[b, keeper[b]]):
                keeper[b] = a
        other = sum(events[row] != events[kept] for row, kept in keeper.items())
        found.append([label, len(keeper), other])
    title = f"{len(lines):,} log lines of {len(set(events))} events ({title})"
    print_table(title, ["semantic dedup", "removed", "for a line of another event"], found)


def _filled(event: str, rng: random.Random) -> str:
    line = event
    while "{" in line:
        line = line.replace("{n}", str(rng.randrange(10**9, 10**10)), 1).replace("{m}", str(rng.randrange(10, 999)), 1)
        line = line.replace("{k}", str(rng.randrange(1, 60)), 1).replace(
            "{user}", rng.choice(["root", "anna", "tom"]), 1
        )
        line = line.replace("{ip}", ".".join(str(rng.randrange(256)) for _ in range(4)), 1)
    return line


if __name__ == "__main__":
    main()

"""What an input's reading passed over, as lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from entropyguard.core.ingest.inputs import FoundInput
from entropyguard.core.ingest.search import CHECKPOINTS, DELTA_LOG

_NAMED = 3
_ALWAYS_NAMED = (CHECKPOINTS, DELTA_LOG)


def reading_notes(found: FoundInput) -> list[str]:
    """A line for the files read and the skipped ones by reason, and one for partition columns; none for one file."""
    lines = []
    if found.skipped or len(found.sources) > 1:
        by_reason: dict[str, list[str]] = {}
        for one in found.skipped:
            by_reason.setdefault(one.reason, []).append(str(one.path))
        skipped = "; ".join(
            f"{_listed(names, len(names) if reason in _ALWAYS_NAMED else _NAMED)} ({reason})"
            for reason, names in by_reason.items()
        )
        files = "1 file" if len(found.sources) == 1 else f"{len(found.sources):,} files"
        lines.append(f"{files} read" + (f"; skipped: {skipped}" if skipped else ""))
    if found.partitions:
        columns = ", ".join(folder.partition("=")[0] for folder in found.partitions)
        folders = "/".join(found.partitions)
        if found.sources[0].record_format == "parquet":
            lines.append(f"columns from the names of folders ({folders}/): {columns}")
            return lines
        lines.append(
            f"Warning: partition columns ({columns}) stand in the names of folders ({folders}/) and "
            "in no file; they are read of Parquet and Arrow only, so they are not in the output. Write them into the "
            "files, or convert them to Parquet, to keep them."
        )
    return lines


def _listed(names: Sequence[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")

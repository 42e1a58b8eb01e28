"""What is started before the flags are read: that takes as long as starting what a build needs."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would be loaded before anything is started
if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "entropyguard.run.stage"
"""The module that is a stage host (see `stage.host`)."""

_OTHER_WORK = {"--help", "-h", "--version", "--dry-run"}


def start_for(arguments: Sequence[str]) -> None:
    """Start DVC if the command line's arguments look like a build; where they are wrong, it ends with this process.

    A run that uses no checkpoint has work for every stage, and a host is started too.
    """
    names = {argument.partition("=")[0] for argument in arguments}
    if {"--input", "--output"} <= names and not _OTHER_WORK & names and arguments[0].startswith("-"):
        from entropyguard.project.dvc_process import start_ahead

        start_ahead("" if "--resume" in names else HOST)

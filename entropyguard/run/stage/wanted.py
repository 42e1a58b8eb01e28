"""Which host a run has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from entropyguard.core.embed.model import is_static
from entropyguard.project.beside import BESIDE

if TYPE_CHECKING:
    from entropyguard.core.params import Params

EMBED = "embed"
"""What a host is told when it is to have a process with torch ready for that stage."""


def host_variables(ahead: Sequence[str], params: Params) -> dict[str, str]:
    """What to tell DVC's process of the host (see `host`) beside it, for the stages that are out of date: none is one.

    Where the model is a transformer, importing torch takes longer than all other stages of a small run together.
    """
    if not ahead:
        return {}
    torch = EMBED in ahead and params.semantic.enabled and not is_static(Path(params.embed.model))
    return {BESIDE: " ".join(["entropyguard.run.stage", *([EMBED] if torch else [])])}

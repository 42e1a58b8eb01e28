"""`entropyguard verify`: whether the committed results are what the committed input, parameters, code and model give.

It compares what is written down and whatever data files are here; `--strict` makes everything anew (`rebuild`).
Neither changes anything in the project.
"""

from __future__ import annotations

from dataclasses import replace

from entropyguard.project.agreement import agreement, disagreements
from entropyguard.project.project import Project
from entropyguard.project.status import SEMANTIC_OFF
from entropyguard.queries.verdict import Finding, Verdict


def verify(project: Project, *, strict: bool) -> Verdict:
    """Compare a project with its lock and, where `strict`, with a rebuild; InputError when that lacks data.

    The summary says so where semantic dedup is off.
    """
    verdict = _compared(project, strict=strict)
    if project.params.semantic.enabled or not verdict.summary:
        return verdict
    return replace(verdict, summary=f"{verdict.summary}; {SEMANTIC_OFF}")


def _compared(project: Project, *, strict: bool) -> Verdict:
    found = disagreements(project)
    if found:
        return Verdict(tuple(Finding(stage, "; ".join(reasons)) for stage, reasons in found.items()), "")
    if not strict:
        return Verdict((), f"verified: {agreement(project)}")
    from entropyguard.queries.rebuild import verify_rebuild  # DVC and polars, for those who ask for a rebuild

    return verify_rebuild(project)

"""What a run is told about the audit log: its format, and how much of each text it has."""

from __future__ import annotations

from entropyguard.core.errors import UsageError
from entropyguard.run.streams import is_stream

WHOLE = "full"
"""Of --audit-text: texts are not cut."""

_TEXT_CHARS = 1_000


def check_audit(audit_log: str | None, audit_text: str | None) -> None:
    """UsageError for a format or a number of characters that there is not, and for the latter without an audit."""
    text_chars(audit_text)
    if audit_log is not None:
        audit_kind(audit_log)
    elif audit_text is not None:
        raise UsageError("--audit-text says how much of each text --audit-log has. Give that one too.")


def audit_kind(audit_log: str) -> str:
    """The format of an audit log; a pipe or device whose name tells none takes JSONL."""
    from entropyguard.core.report.audit import audit_format  # polars, only for those who ask for an audit

    try:
        return audit_format(audit_log)
    except UsageError:
        if is_stream(audit_log):
            return "jsonl"
        raise


def text_chars(audit_text: str | None) -> int | None:
    """How many characters of a text an audit shows; None for all of them."""
    if audit_text is None:
        return _TEXT_CHARS
    if audit_text == WHOLE:
        return None
    if audit_text.isascii() and audit_text.isdigit() and int(audit_text) > 0:
        return int(audit_text)
    raise UsageError(f"--audit-text is {audit_text!r}; it must be a number of characters above 0, or {WHOLE}.")

"""Messages in the words that were typed: the flag in place of the parameter it sets."""

from __future__ import annotations

import re


def by_flags(message: str) -> str:
    """The message with each parameter by the name of its flag, where it does not speak of params.yaml itself.

    What stands in quotes is the user's own.
    """
    from entropyguard.core.checkpoint.validity import FLAG_NAMES

    for name, key in FLAG_NAMES.items():
        flag = f"--{name.replace('_', '-')}"
        message = re.sub(rf"({flag}(?: NAME)?) \({re.escape(key)}\)", r"\1", message)  # where both are named
        alone = rf"(?<![\w.'\"/-]){re.escape(key)}(?![\w'\"/-]|\.\w| in params\.yaml)"
        message = re.sub(alone, flag, message)
    return message

"""Messages in the words that were typed."""

from __future__ import annotations

import pytest

from entropyguard.core.visible import visible, visible_json
from entropyguard.run.flag_words import by_flags


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("exact.min_length is -1; it must be 0 or more.", "--min-length is -1; it must be 0 or more."),
        ("it must be 0 to 4, below chunks.size.", "it must be 0 to 4, below --chunk-size."),
        (
            "a higher --max-loss (guard.max_loss in params.yaml).",
            "a higher --max-loss (guard.max_loss in params.yaml).",
        ),
        ("read it with --encoding NAME (ingest.encoding).", "read it with --encoding NAME."),
        ("There is no column 'keep.policy'.", "There is no column 'keep.policy'."),
        ("my-exact.min_length.jsonl is missing.", "my-exact.min_length.jsonl is missing."),
        ("search.floor is 2", "search.floor is 2"),
    ],
)
def test_a_parameter_goes_by_its_flag_but_for_what_is_the_users_own(message: str, said: str) -> None:
    assert by_flags(message) == said


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    assert visible("é日\u3000\x1b[2J\x9b1m\u202e\udcff\na") == "é日\u3000\\x1b[2J\\x9b1m\\u202e\\udcff\na"
    assert visible_json('"\x7f\u202e\U000e0001 é"\n') == '"\\u007f\\u202e\\udb40\\udc01 é"\n'

"""What the names of parts match, and hardly any other file's: `<name>-<digest of the bytes>.parquet`."""

PARQUET, ARROW = "parquet", "arrow"
"""What parts may be: what is kept is Parquet; what goes with its stage and is read once is a stream of Arrow's."""

_DIGEST = "[0-9a-f]"


def part_pattern(ending: str) -> str:
    """What names of parts match, as a shell would write it."""
    return f"*-{_DIGEST * 32}.{ending}"


PART_NAME, ARROW_PART_NAME = (rf"[^/]+-{_DIGEST}{{32}}\.{ending}" for ending in (PARQUET, ARROW))
"""As regular expressions."""

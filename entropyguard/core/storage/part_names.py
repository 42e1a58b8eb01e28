"""What the names of parts match, and hardly any other file's: `<name>-<digest of the bytes>.parquet`."""

PART = "*-" + "[0-9a-f]" * 32 + ".parquet"
"""As a shell would write it."""

PART_NAME = r"[^/]+-[0-9a-f]{32}\.parquet"
"""As a regular expression."""

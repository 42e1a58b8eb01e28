"""The stage exact_dedup: of rows whose normalised texts are equal, keep one."""

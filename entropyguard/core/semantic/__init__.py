"""The stage semantic_dedup: which rows go for which that stay."""

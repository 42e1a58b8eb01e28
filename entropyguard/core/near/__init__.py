"""The stage near_dedup: which rows have almost the same words as a row that stays."""

"""The stage near_dedup: which rows say in nearly the same words what a row that stays says."""

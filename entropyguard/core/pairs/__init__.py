"""The stage similar_pairs: every pair of rows at or above a cosine."""

"""The library: no DVC, no terminal, no argv."""

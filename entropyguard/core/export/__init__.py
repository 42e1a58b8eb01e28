"""The stage export: the rows that stay, in the format asked for."""

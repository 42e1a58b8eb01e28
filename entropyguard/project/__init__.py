"""A project on disk: the only package that knows DVC and names its files."""

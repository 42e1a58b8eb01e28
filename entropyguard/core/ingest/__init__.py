"""The stage ingest: the input, whatever its format, as rows."""

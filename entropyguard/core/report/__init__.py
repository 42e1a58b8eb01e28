"""What became of the rows: report, page, audit, explanations, sweeps."""

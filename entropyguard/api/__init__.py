"""entropyguard from Python: `entropyguard.dedup`, on data in memory or in files."""

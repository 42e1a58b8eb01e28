"""Files on disk: checkpoints, their row groups, stores of finished work."""

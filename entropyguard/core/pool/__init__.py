"""Units of work and where they are done: in this process, in several, or on many machines."""

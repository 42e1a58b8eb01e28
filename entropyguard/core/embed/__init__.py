"""The stage embed: a vector for each text, from the store or the model."""

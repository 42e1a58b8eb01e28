"""What a text says, word by word, and how that of two texts differs."""

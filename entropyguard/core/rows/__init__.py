"""What a row is: its text, its normal form, its hash, its priority."""

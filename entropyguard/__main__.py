"""`python -m entropyguard`."""

from entropyguard.cli import main

if __name__ == "__main__":
    main()

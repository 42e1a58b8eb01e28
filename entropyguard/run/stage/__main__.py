"""`python -m entropyguard.run.stage SOCKET`: a stage host."""

from entropyguard.run.stage.host import main

if __name__ == "__main__":
    main()

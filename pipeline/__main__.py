"""`python -m lakehouse`: the command line, for those who start it without a shell."""

from pipeline.cli import main

if __name__ == "__main__":
    main()

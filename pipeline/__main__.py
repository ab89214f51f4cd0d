"""`python -m pipeline`: the command line, for programs that start it without a shell."""

from pipeline.cli import main

if __name__ == "__main__":
    main()

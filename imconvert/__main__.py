"""`python -m imconvert`, the same as the console script."""

from imconvert.cli import main

if __name__ == "__main__":
    main()

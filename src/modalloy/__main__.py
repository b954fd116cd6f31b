"""`python -m modalloy`: the same as the command."""

from modalloy.cli import main

if __name__ == "__main__":
    main()

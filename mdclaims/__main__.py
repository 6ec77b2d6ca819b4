"""``python -m mdclaims``."""

from mdclaims.cli import main

if __name__ == "__main__":
    main()

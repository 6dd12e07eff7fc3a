"""``python -m trainroute``."""

from trainroute.cli import main

if __name__ == "__main__":
    main()

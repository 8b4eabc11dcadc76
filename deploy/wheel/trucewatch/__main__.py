"""``python -m trucewatch``, and the command ``trucewatch``."""

from services.__main__ import main

if __name__ == "__main__":
    main()

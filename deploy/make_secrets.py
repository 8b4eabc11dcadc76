"""Write the secrets that docker-compose.yml mounts, each a file of its own; those that are there are left as they are.

    python deploy/make_secrets.py DIRECTORY [OLD_ENV_FILE]

The directory is closed to other users. The files in it can be read by everybody who gets that far, since each container
runs as a user of its own. Values that an OLD_ENV_FILE set, as versions before had them, are taken over.
"""

import re
import secrets
import sys
from pathlib import Path
from typing import Final

#: File, the variable that once held it, and the value where there is none to take over.
FILES: Final = (
    ("database_password", "POSTGRES_PASSWORD", None),
    ("admin_key", "TRUCEWATCH_ADMIN_KEY", None),
    ("secret_key", "TRUCEWATCH_SECRET_KEY", None),
    ("smtp_url", "TRUCEWATCH_SMTP_URL", "smtp://mail:1025"),
)


def main(directory: Path, old: Path | None = None) -> None:
    text = old.read_text() if old is not None and old.exists() else ""
    known = dict(re.findall(r"(?m)^([A-Z_]+)=(.+)$", text))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    for name, variable, default in FILES:
        path = directory / name
        if not path.exists():
            path.write_text((known.get(variable) or default or secrets.token_hex(32)) + "\n")
            path.chmod(0o444)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

"""Write a migration from what the tables are to what the code says they should be.

    python deploy/migrations/make.py "what changes and why"

Read what it wrote before you commit it: it cannot know a renamed column from a dropped and an added one.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from services.platform.db.engine import Database
from services.platform.db.migrate import config
from services.platform.settings.config import embedded_url


def main(message: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        engine = Database(embedded_url(Path(directory))).engine
        with engine.connect() as connection, connection.begin():
            made = config(connection)
            command.upgrade(made, "head")
        with engine.connect() as connection, connection.begin():
            count = len(list(Path(__file__).parent.glob("versions/*.py")))
            command.revision(config(connection), message, autogenerate=True, rev_id=f"{count + 1:04d}")


if __name__ == "__main__":
    main(sys.argv[1])

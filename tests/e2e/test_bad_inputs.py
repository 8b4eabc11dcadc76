"""The short form of the bad inputs of ``make verify``: a few hundred, and not one of them fails the server."""

from pathlib import Path

from tests.verify.bad_inputs import CONNECTIONS, run


def test_generated_bad_inputs_fail_nothing(tmp_path: Path) -> None:
    outcome = run(tmp_path, 800, seed=2, heavy=False)
    print(outcome)
    assert outcome.errors == []
    assert 800 - CONNECTIONS <= outcome.sent <= 800
    assert "closed" not in outcome.statuses
    assert {"400", "401", "403", "404", "422"} <= outcome.statuses.keys()

"""``python -m tests.verify``: a table for people, a file for machines, and an exit code that says whether all held."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from tests.parts.cluster import tails
from tests.verify import embedded
from tests.verify.account import Account
from tests.verify.faults import FAULTS, Fault
from tests.verify.load import ANSWER_S
from tests.verify.rounds import Plan, run_rounds, stage

COLUMNS: Final = (
    "fault", "posted", "accepted", "assessed", "alerted", "delivered", "lost", "repeated", "redelivered", "put_off",
    "unanswered", "slowest_answer_s", "fault_s", "settled_s", "lag", "died",
)  # fmt: skip
DEFAULT_OUT: Final = Path(".parts") / "verify.json"


class Result(msgspec.Struct, frozen=True):
    """The record of a run."""

    rate: float
    seconds: float
    each: int
    holds: bool
    rounds: list[Account]


def chosen(text: str) -> tuple[list[Fault], list[str]]:
    """``all``, ``short``, or names with commas between them: faults of the cluster, and of one machine. Raises
    click.BadParameter."""
    if text in ("all", "short"):
        return [fault for fault in FAULTS if text == "all" or fault.short], list(
            embedded.FAULTS if text == "all" else ()
        )
    known = {fault.name: fault for fault in FAULTS}
    wanted = text.split(",")
    if unknown := [name for name in wanted if name not in known and name not in embedded.FAULTS]:
        there = ", ".join([*known, *embedded.FAULTS])
        raise click.BadParameter(f"no such fault: {', '.join(unknown)}; there are {there}")
    return [known[name] for name in wanted if name in known], [name for name in wanted if name in embedded.FAULTS]


def show(cells: Sequence[object]) -> str:
    name, *numbers = (len(cell) if isinstance(cell, list) else cell for cell in cells)
    return f"{name!s:<20}" + "".join(
        f"{number!s:>{max(len(c), 5) + 2}}" for number, c in zip(numbers, COLUMNS[1:], strict=True)
    )


@click.command()
@click.option("--faults", default="all", show_default=True, help="all, short, or names with commas between them.")
@click.option("--rate", default=20.0, show_default=True, help="Reports a second.")
@click.option("--seconds", default=20.0, show_default=True, help="Load before, during and after each fault, at least.")
@click.option("--each", default=2, show_default=True, help="Processes of each service.")
@click.option("--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, show_default=True)
def verify(faults: str, rate: float, seconds: float, each: int, out: Path) -> None:
    """Break every part in turn under load, and account for every report."""
    (wanted, of_machine), plan = chosen(faults), Plan(rate, seconds, each)
    rounds: list[Account] = []
    directory = Path(tempfile.mkdtemp(prefix="verify-"))
    click.echo(show(COLUMNS))
    if wanted:
        with stage(directory, plan) as (cluster, receiver):
            for account in run_rounds(cluster, receiver, plan, wanted):
                rounds.append(account)
                tell(account)
                if not account.holds:
                    click.echo(tails(cluster.services), err=True)
                keep(out, plan, rounds)
    for account in embedded.run_faults(directory, rate, seconds, of_machine):
        rounds.append(account)
        tell(account)
        keep(out, plan, rounds)
    holds = all(account.holds for account in rounds)
    click.echo(f"{'Everything holds' if holds else 'SOMETHING BROKE'}; the result is in {out}, the logs in {directory}")
    sys.exit(0 if holds else 1)


def tell(account: Account) -> None:
    click.echo(
        show([getattr(account, name) for name in COLUMNS])
        + ("" if account.holds else "   BROKEN")
        + _told_slow(account)
    )
    if not account.holds:
        click.echo(msgspec.json.format(msgspec.json.encode(account)).decode(), err=True)


def _told_slow(account: Account) -> str:
    """A remark, not a failure: a busy machine is slow by itself."""
    return "   SLOW" if account.slowest_answer_s > ANSWER_S else ""


def keep(out: Path, plan: Plan, rounds: list[Account]) -> None:
    """After each round: a run that is cut short has a result too."""
    out.parent.mkdir(parents=True, exist_ok=True)
    holds = all(account.holds for account in rounds)
    result = Result(plan.rate, plan.seconds, plan.each, holds, rounds)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


if __name__ == "__main__":
    verify()

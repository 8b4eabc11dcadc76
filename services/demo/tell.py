"""What the demo shows: a line for each report, a line for each message that arrives."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from services.demo.due import Missing, why

_COLOURS: Final = {"violation": "bold red", "undetermined": "yellow", "excluded": "cyan", "not_covered": "dim"}
_INDENT: Final = " " * 7


class Tell:
    """Prints to ``console``; lines are as long as they are, and a terminal wraps them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()
        self._early: dict[str, list[Text]] = {}

    def step(self, text: str) -> None:
        """Something that was done before the first report."""
        self._print(Text.assemble(("• ", "green"), text))

    def judged(self, number: int, of: int, report: Mapping[str, Any], assessment: Mapping[str, Any]) -> None:
        """What was decided on one report, and why."""
        verdict = str(assessment["verdict"])
        grades = " ".join(str(assessment[name]) for name in ("certainty", "severity") if assessment[name])
        what = f"{report['act'].replace('_', ' ')}, {report['location'].get('place', 'no place named')}"
        line = Text.assemble(
            (f"{number:>3}/{of} ", "dim"),
            (f"{verdict.replace('_', ' '):<13}", _COLOURS[verdict]),
            f"{grades:<18}",
            (what, "bold"),
            f" – {why(assessment)}",
        )
        self._print(line)
        self._told.add(assessment["incident_id"])
        for early in self._early.pop(assessment["incident_id"], ()):
            self._print(early)

    def webhook(self, message: Mapping[str, Any]) -> None:
        """A webhook that arrived; its signature was checked."""
        what = f"{message['type']}: {message['data']['headline']}"
        self._arrival(message["data"]["incident_id"], Text.assemble(_INDENT, ("→ webhook, signed: ", "green"), what))

    def email(self, letter: EmailMessage, incident_id: str) -> None:
        """An email that arrived."""
        what = f"{letter['to']}: {letter['subject']}"
        self._arrival(incident_id, Text.assemble(_INDENT, ("→ email to ", "green"), what))

    def _arrival(self, incident_id: str, line: Text) -> None:
        """An alert often overtakes the answer that tells of its report; here it waits its turn."""
        if incident_id in self._told:
            self._print(line)
        else:
            self._early.setdefault(incident_id, []).append(line)

    def missing(self, missing: Sequence[Missing]) -> None:
        """What was due and did not come."""
        for one in missing:
            self._print(Text.assemble(("missing ", "bold red"), f"{one.report} ({one.incident_id}) → {one.desk}"))

    def closing(self, counts: Mapping[str, int], arrived: int, link: str) -> None:
        """The end of the play."""
        verdicts = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.items())
        self.step(f"{sum(counts.values())} reports: {verdicts}; {arrived} alerts arrived, every one that was due")
        self.link(link)

    def link(self, link: str) -> None:
        """Where the console is; the key stands after the #, which a browser sends to nobody."""
        self._print(Text.assemble(("• ", "green"), "the console: ", (link, "underline")))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)

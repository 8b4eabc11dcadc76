"""The output of the demo: a line for each report, a line for each message that arrives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from schemas.wording.words import Words
from services.demo.due import Missing, why

_COLOURS: Final = {"violation": "bold red", "undetermined": "yellow", "excluded": "cyan", "not_covered": "dim"}
_INDENT: Final = " " * 7


@dataclass(frozen=True, slots=True)
class DeskLinks:
    """The desk, with a key after the #, which a browser sends to nobody."""

    monitor: str
    operator: str


class DemoOutput:
    """Prints to ``console``; lines are as long as they are, and a terminal wraps them."""

    def __init__(self, console: Console, say: Words) -> None:
        self._console = console
        self._say = say
        self._told: set[str] = set()
        self._early: dict[str, list[Text]] = {}

    def step(self, text: str) -> None:
        """Something that was done before the first report."""
        self._print(Text.assemble(("• ", "green"), text))

    def judged(self, number: int, of: int, report: Mapping[str, Any], assessment: Mapping[str, Any]) -> None:
        """The verdict on one report, and why."""
        say, verdict = self._say, str(assessment["verdict"])
        certainty = say.name("certainty", assessment["certainty"]) if assessment["certainty"] else ""
        grades = f"{certainty} {say.name('severity', assessment['severity'])}".strip()
        place = report["location"].get("place") or say.say("demo.no_place")
        what = say.join([say.name("act", report["act"]), place])
        line = Text.assemble(
            (f"{number:>3}/{of} ", "dim"),
            (f"{say.name('verdict', verdict):<12} ", _COLOURS[verdict]),
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
        self._arrival(
            message["data"]["incident_id"],
            Text.assemble(_INDENT, (f"→ {self._say.say('demo.webhook')}: ", "green"), what),
        )

    def email(self, letter: EmailMessage, incident_id: str) -> None:
        """An email that arrived."""
        told = self._say.say("demo.email", address=letter["to"])
        self._arrival(incident_id, Text.assemble(_INDENT, (f"→ {told}: ", "green"), str(letter["subject"])))

    def _arrival(self, incident_id: str, line: Text) -> None:
        """An alert often overtakes the answer about its report; here it waits for that one."""
        if incident_id in self._told:
            self._print(line)
        else:
            self._early.setdefault(incident_id, []).append(line)

    def missing(self, missing: Sequence[Missing]) -> None:
        """The alerts that were due and did not come."""
        for one in missing:
            told = self._say.say("demo.missing")
            self._print(Text.assemble((f"{told} ", "bold red"), f"{one.report} ({one.incident_id}) → {one.desk}"))

    def closing(self, counts: Mapping[str, int], arrived: int, links: DeskLinks) -> None:
        """The summary at the end."""
        say = self._say
        verdicts = say.join([f"{count} {say.name('verdict', verdict)}" for verdict, count in counts.items()])
        reports, alerts = say.count("reports", sum(counts.values())), say.count("alerts", arrived)
        self.step(say.say("demo.closing", reports=reports, verdicts=verdicts, alerts=alerts))
        self.links(links)

    def links(self, links: DeskLinks) -> None:
        """Where the desk is."""
        for key, link in (("demo.console", links.monitor), ("demo.console_operator", links.operator)):
            self._print(Text.assemble(("• ", "green"), f"{self._say.say(key)}: ", (link, "underline")))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)

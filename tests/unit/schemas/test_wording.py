"""The catalogue of all that people read: complete in each language, and neither more nor less than the code says."""

import ast
import re
import string
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from jinja2 import Environment, nodes

from schemas.instants import parse_instant
from schemas.vocabulary import (
    ACTS,
    CERTAINTIES,
    LANGUAGES,
    OUTCOMES,
    REASON_CODES,
    SEVERITIES,
    AlertStatus,
    Language,
)
from schemas.wording.catalogue import Catalogue, read_catalogue
from schemas.wording.reasons import tell_moment
from schemas.wording.words import words
from schemas.zones import UTC
from services.status.report import State

ROOT = Path(__file__).parents[3]
#: The methods of ``Words`` that take a key, and those that take a kind of term.
BY_KEY = {"say", "count"}
BY_KIND = {"name", "title"}
#: The arguments that each has at least: texts have a method ``count`` too.
LEAST = {"say": 1, "count": 2, "name": 2, "title": 2}
#: The published vocabulary that people read by name, as the catalogue groups it.
TERMS: Mapping[str, tuple[str, ...]] = {
    "verdict": OUTCOMES,
    "certainty": CERTAINTIES,
    "severity": SEVERITIES,
    "act": ACTS,
    "status": get_args(AlertStatus),
    "state": get_args(State),
}


def texts_of(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    return {**{key: (text,) for key, text in catalogue.phrases.items()}, **catalogue.counted}


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# --- complete


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_is_there_in_every_language(language: Language) -> None:
    english, other = read_catalogue("en"), read_catalogue(language)
    assert other.phrases.keys() == english.phrases.keys()
    assert other.counted.keys() == english.counted.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_form_of_the_language_is_there(language: Language) -> None:
    catalogue = read_catalogue(language)
    forms = {catalogue.plural(n) for n in range(1_000)}
    assert forms == set(range(len(forms)))
    for key, texts in catalogue.counted.items():
        assert len(texts) == len(forms), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_those_of_the_cldr(language: Language) -> None:
    catalogue, locale = read_catalogue(language), words(language).locale
    pairs = {(catalogue.plural(n), locale.plural_form(n)) for n in range(1_000)}
    assert len(pairs) == len({form for form, _ in pairs}) == len({form for _, form in pairs})


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language: Language) -> None:
    for key, texts in texts_of(read_catalogue(language)).items():
        # Nothing is said of none that are left out: the sentence is used from one on.
        rest = texts[1:] if (language, key) == ("ar", "omitted") else texts
        assert all(text.strip() for text in rest), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_blanks_are_filled_in_in_every_language(language: Language) -> None:
    """A form of a number may leave the count out: the Arabic noun says one and two."""
    english = texts_of(read_catalogue("en"))
    for key, texts in texts_of(read_catalogue(language)).items():
        wanted = blanks(english[key][-1])
        for text in texts:
            assert blanks(text) | {"count"} == wanted | {"count"}, key
        assert blanks(texts[-1]) == wanted, key


# --- one word for one thing


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_of_the_vocabulary_has_a_word_of_its_own(language: Language) -> None:
    say = words(language)
    for kind, values in TERMS.items():
        named = [say.name(kind, value) for value in values]
        assert all(say.has(f"{kind}.{value}") for value in values)
        assert len(set(named)) == len(named), kind


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_term_stands_in_the_catalogue_once(language: Language) -> None:
    """Sentences are filled in with it, so that a reason and a fact of one letter cannot say it two ways."""
    catalogue = read_catalogue(language)
    grades = {catalogue.phrases[f"certainty.{value}"] for value in CERTAINTIES if value != "Unknown"}
    for key, texts in texts_of(catalogue).items():
        if key.partition(".")[0] not in TERMS:
            assert not any(re.search(rf"«{grade}»|“{grade}”", text) for text in texts for grade in grades), key


def test_the_glossary_has_every_value_with_the_words_that_are_said() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
    for kind in ("verdict", "certainty", "severity", "status"):
        for value in TERMS[kind]:
            said = [value, words("ar").name(kind, value), words("ru").name(kind, value)]
            start = f"| `{said[0]}` | {said[1]} | {said[2]} | "
            assert any(line.startswith(start) for line in lines), start


# --- neither more nor less than the code says


@cache
def sources() -> tuple[ast.Module, ...]:
    """Modules that say something; parsing all others would take most of the time."""
    texts = [path.read_text("utf-8") for folder in ("schemas", "services") for path in (ROOT / folder).rglob("*.py")]
    return tuple(ast.parse(text) for text in texts if "say." in text or "wording" in text)


@cache
def templates() -> tuple[nodes.Template, ...]:
    found = [
        path for ending in ("*.html", "*.txt", "*.j2") for path in (ROOT / "services").rglob(f"templates/{ending}")
    ]
    return tuple(Environment().parse(path.read_text("utf-8")) for path in found)


def pattern(node: ast.expr) -> str | None:
    """A regular expression of the texts that an expression can be; None for one that is no text as it stands."""
    match node:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(pattern(part) or r"[\w.]+" for part in parts)
        case ast.IfExp(body=one, orelse=other):
            return f"(?:{pattern(one) or '[^.]*'}|{pattern(other) or '[^.]*'})"
    return None


def said() -> Iterator[str]:
    """A pattern for each key that code or a template asks for by its name."""
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                told = pattern(node.args[0])
                if told is not None and "\n" not in told and len(node.args) >= LEAST.get(node.func.attr, 9):
                    yield told if node.func.attr in BY_KEY else rf"{told}\.\w+"
    for template in templates():
        for call in template.find_all(nodes.Call):
            named = call.node
            if isinstance(named, nodes.Getattr) and named.attr in BY_KEY | BY_KIND and call.args:
                told = "".join(
                    re.escape(part.value) if isinstance(part, nodes.Const) else r"[\w.]+"
                    for part in _parts(call.args[0])
                )
                yield told + (r"\.\w+" if named.attr in BY_KIND else "")


@cache
def spoken_by_the_desk() -> tuple[str, ...]:
    """A pattern for each key that a module of the desk names, whole or with its end put together."""
    texts = [path.read_text("utf-8") for path in (ROOT / "services" / "console" / "desk").rglob("*.js")]
    plain = [found for text in texts for found in re.findall(r'"((?:desk|console|field)\.[\w.-]+)"', text)]
    made = [found for text in texts for found in re.findall(r"`((?:desk|field|console)\.[^`]*\$\{[^`]*)`", text)]
    return (*map(re.escape, plain), *(re.sub(r"\\\$\\\{.*?\\\}", r"[\\w.-]+", re.escape(one)) for one in made))


def _parts(node: nodes.Expr) -> list[nodes.Expr]:
    return node.nodes if isinstance(node, nodes.Concat) else [node]


def written() -> Iterator[str]:
    """Every text in the code, and every start of one that is put together: keys in tables are among them."""
    for tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant | ast.JoinedStr) and (told := pattern(node)):
                yield told


def test_no_key_is_asked_for_that_is_not_there() -> None:
    keys = texts_of(read_catalogue("en")).keys()
    # ``Reasons.say`` takes codes, whose sentences have a test of their own (tests/unit/rules/test_reasons.py).
    asked = {*said(), *spoken_by_the_desk()} - set(REASON_CODES)
    assert len(asked) > 50
    assert {told for told in asked if not any(re.fullmatch(told, key) for key in keys)} == set()


def test_no_key_stands_unused() -> None:
    used = {*said(), *written(), *spoken_by_the_desk()} - {r"[\w.]+"}
    exact = {re.sub(r"\\(.)", r"\1", told) for told in used if "[" not in told and "(?:" not in told}
    patterns = [told for told in used if "[" in told or "(?:" in told]
    terms = {f"{kind}.{value}" for kind, values in TERMS.items() for value in values}
    of_reasons = {key for key in texts_of(read_catalogue("en")) if key.split(".")[:2][-1] in REASON_CODES}
    rest = texts_of(read_catalogue("en")).keys() - exact - terms - of_reasons
    assert {key for key in rest if not any(re.fullmatch(told, key) for told in patterns)} == set()


# --- how it reads


def test_numbers_take_their_forms() -> None:
    assert [words("ru").count("killed", n) for n in (1, 2, 5, 21)] == [
        "1 погибший", "2 погибших", "5 погибших", "21 погибший",
    ]  # fmt: skip
    assert [words("ar").count("killed", n) for n in (0, 1, 2, 3, 11, 100)] == [
        "لا قتلى", "قتيل واحد", "قتيلان", "3 قتلى", "11 قتيلًا", "100 قتيل",
    ]  # fmt: skip
    assert [words("en").count("alerts", n) for n in (0, 1, 2)] == ["0 alerts", "1 alert", "2 alerts"]


def test_arabic_months_are_those_of_the_levant() -> None:
    say = words("ar")
    days = [say.day(parse_instant(f"2016-{month:02}-08T00:00:00Z"), UTC) for month in range(1, 13)]
    assert days == [
        "8 كانون الثاني 2016", "8 شباط 2016", "8 آذار 2016", "8 نيسان 2016", "8 أيار 2016", "8 حزيران 2016",
        "8 تموز 2016", "8 آب 2016", "8 أيلول 2016", "8 تشرين الأول 2016", "8 تشرين الثاني 2016", "8 كانون الأول 2016",
    ]  # fmt: skip
    moment = parse_instant("2016-05-08T09:00:00Z")
    assert "أيار" in say.moment(moment, UTC)
    assert "أيار" in tell_moment("2016-05-08T09:00:00Z", "Asia/Damascus", "ar")


def test_a_name_of_the_other_direction_is_fenced() -> None:
    assert words("ar").foreign("Midan, Aleppo") == "\u200fMidan, Aleppo\u200f"
    assert words("ar").foreign("حلب") == "حلب"
    assert words("ru").foreign("Midan") == "Midan"
    assert words("en").foreign("حلب") == "\u200eحلب\u200e"

"""The token of a link to an alert, and the picture of its place."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import ResolvedPlace
from schemas.instants import DAY, SECOND, parse_instant
from services.notify.domain.alert_link import GOOD_FOR, is_good, make_token, read_token
from services.notify.domain.subscription import Draft, Email, Subscription
from services.notify.render.place_map import HEIGHT, WIDTH, draw_place

NOW = parse_instant("2016-05-08T09:00:00Z")
DESK = Subscription("sub_1", "desk-a", Draft(Email("desk@example.org")), "active", NOW, token="s3cret")
CITY = [[(37.05, 36.12), (37.25, 36.12), (37.25, 36.28), (37.05, 36.28), (37.05, 36.12)]]
COUNTRY = [[(35.7, 32.3), (42.4, 32.3), (42.4, 37.3), (35.7, 37.3), (35.7, 32.3)]]


@given(st.text("abc_019", min_size=1, max_size=40), st.integers(1, 9_999), st.integers(0, 40 * 365))
def test_a_token_says_what_it_was_made_of_and_is_good_for_its_time(alert: str, revision: int, day: int) -> None:
    sent = day * DAY
    token = make_token(DESK, alert, revision, sent)
    said = read_token(token)
    assert said is not None
    assert (said.subscription, said.alert, said.revision) == ("sub_1", alert, revision)
    assert token == make_token(DESK, alert, revision, sent)
    assert is_good(token, DESK, sent + GOOD_FOR - SECOND)
    assert not is_good(token, DESK, sent + GOOD_FOR)


def test_a_token_is_its_subscriptions_alone() -> None:
    token = make_token(DESK, "alr_1", 1, NOW)
    elsewhere = replace(DESK, draft=Draft(Email("other@example.org")))
    others = [replace(DESK, token="other"), elsewhere, replace(DESK, state="ended"), replace(DESK, state="held")]
    assert is_good(token, replace(DESK, state="disabled"), NOW)
    assert not [one for one in others if is_good(token, one, NOW)]


def test_an_empty_secret_opens_nothing() -> None:
    """All would know it."""
    bare = replace(DESK, token="")
    assert not is_good(make_token(bare, "alr_1", 1, NOW), bare, NOW)


@given(st.text("abcXYZ019-_=+é\0", max_size=200) | st.binary(max_size=200).map(lambda raw: raw.hex()))
def test_no_other_text_is_good(text: str) -> None:
    assert not is_good(text, DESK, NOW)


def test_the_circle_has_the_size_of_its_radius_and_the_bar_that_of_its_distance() -> None:
    drawn = draw_place(ResolvedPlace("Midan", 36.2, 37.15, 4.0), [COUNTRY, CITY])
    assert drawn is not None
    assert drawn.circle is not None
    x, y, radius = drawn.circle
    length, km = drawn.bar
    assert (x, y) == (WIDTH / 2, HEIGHT / 2)
    assert abs(radius / 4.0 - length / km) < 0.1
    assert len(drawn.outlines) == 2


def test_an_area_alone_is_its_outline() -> None:
    drawn = draw_place(ResolvedPlace("Aleppo", area="aleppo-city"), [CITY])
    assert drawn is not None
    assert drawn.circle is None
    assert drawn.outlines[0].startswith("M")


def test_nothing_is_drawn_of_nothing_and_of_half_the_world() -> None:
    wide = [[(-170.0, 0.0), (170.0, 0.0), (170.0, 10.0), (-170.0, 0.0)]]
    assert draw_place(ResolvedPlace("somewhere"), []) is None
    assert draw_place(ResolvedPlace("somewhere", area="none"), [[]]) is None
    assert draw_place(ResolvedPlace("somewhere", area="wide"), [wide]) is None


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.none() | st.floats(0, 1_000),
    st.lists(st.sampled_from([CITY, COUNTRY])),
)
def test_every_place_can_be_drawn_or_is_not(
    lat: float, lon: float, radius: float | None, areas: list[list[list[tuple[float, float]]]]
) -> None:
    drawn = draw_place(ResolvedPlace("x", lat, lon, radius), areas)
    if drawn is not None and drawn.circle is not None:
        x, y, size = drawn.circle
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
        assert size >= 5
        assert 0 < drawn.bar[0] <= WIDTH / 4

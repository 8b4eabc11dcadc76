"""The published words: acts and their groups, outcomes, certainty, severity, reason codes.

Source: the public contract ("Incident reports") and the decision rules ("Reason codes"). A word added
here reaches every schema, every validator and every document generated from them.
"""

from functools import lru_cache
from typing import Final, Literal, get_args

Act = Literal[
    "airstrike", "drone_strike", "barrel_bomb", "missile", "rocket", "shelling", "mortar", "tank_fire",
    "heavy_machine_gun", "small_arms", "sniping", "armed_clash", "ied", "landmine", "chemical",
    "ground_assault", "territorial_gain", "weapons_in_withdrawal_zone", "overflight", "troop_movement",
    "occupation", "siege", "aid_obstruction", "attack_on_aid", "abduction", "arrest", "sexual_violence",
    "civilian_harm", "protest", "prison_revolt", "crime", "accident", "other",
]  # fmt: skip
ActGroup = Literal["heavy_weapons", "all_weapons", "territory", "humanitarian", "detention", "presence"]
Claim = Literal["self_defence", "aimed_at_excluded", "accident"]
Site = Literal["hospital", "school", "camp", "aid_convoy"]
Role = Literal["partner", "monitor", "operator"]
Language = Literal["en", "ar", "ru"]

Outcome = Literal["violation", "undetermined", "excluded", "not_covered"]
Certainty = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
Severity = Literal["Extreme", "Severe", "Moderate", "Minor"]
AlertStatus = Literal["raised", "updated", "cancelled"]
IncidentState = Literal["accepted", "assessed", "retracted", "dead_lettered"]

ReasonCode = Literal[
    "within_window", "outside_window", "outside_area", "outside_every_area", "outside_every_window",
    "time_straddles_window", "window_disputed", "place_too_coarse", "place_unresolved",
    "place_disagreement", "point_placeholder", "point_mirrored",
    "aggregate", "act_not_prohibited", "bound_perpetrator", "umbrella_perpetrator",
    "unattributed", "umbrella_target", "unknown_target", "unresolved_party", "name_qualified", "name_out_of_period",
    "excluded_perpetrator", "excluded_target", "contested_attribution", "no_duty_between_parties",
    "held_by_excluded_party", "excluded_group_present", "implausible_perpetrator",
    "self_defence_claimed", "aimed_at_excluded_claimed", "accident_claimed", "source_grade",
    "corroborated", "retracted", "place_decided", "party_decided", "verdict_decided",
]  # fmt: skip

ACTS: Final[tuple[Act, ...]] = get_args(Act)
REASON_CODES: Final[tuple[ReasonCode, ...]] = get_args(ReasonCode)
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
#: Strongest first (judgement.md, "Verdicts").
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
#: Highest first; ``Unknown`` is below all.
CERTAINTIES: Final[tuple[Certainty, ...]] = get_args(Certainty)
#: Gravest first.
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
#: Reasons that belong to no truce and are at the top of an assessment.
TOP_REASONS: Final[frozenset[ReasonCode]] = frozenset(
    {"outside_every_area", "outside_every_window", "place_disagreement", "point_placeholder", "point_mirrored",
     "unresolved_party", "name_qualified", "name_out_of_period", "source_grade", "corroborated", "retracted",
     "place_decided", "party_decided", "verdict_decided"}
)  # fmt: skip

_HEAVY: Final[frozenset[Act]] = frozenset(
    {"airstrike", "drone_strike", "barrel_bomb", "missile", "rocket", "shelling", "mortar", "tank_fire",
     "chemical"}
)  # fmt: skip
ACT_GROUPS: Final[dict[ActGroup, frozenset[Act]]] = {
    "heavy_weapons": _HEAVY,
    "all_weapons": _HEAVY
    | {"heavy_machine_gun", "small_arms", "sniping", "armed_clash", "ied", "landmine", "ground_assault",
       "attack_on_aid", "civilian_harm"},
    "territory": frozenset({"territorial_gain", "ground_assault", "occupation"}),
    "humanitarian": frozenset({"aid_obstruction", "attack_on_aid", "siege"}),
    "detention": frozenset({"abduction", "arrest"}),
    "presence": frozenset({"weapons_in_withdrawal_zone", "overflight", "troop_movement", "occupation"}),
}  # fmt: skip


@lru_cache(maxsize=1024)
def expand_acts(names: tuple[str, ...]) -> frozenset[str]:
    """The acts that a list of acts and groups names."""
    return frozenset(act for name in names for act in ACT_GROUPS.get(name, (name,)))  # type: ignore[call-overload]

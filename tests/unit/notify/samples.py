"""Alerts for the tests of the channels: a plain one, and the worst that a report can make."""

from schemas.assessments import (
    Alert,
    AlertTexts,
    Change,
    Interval,
    Reason,
    ResolvedParty,
    ResolvedPlace,
    SourceRef,
)
from schemas.report import Casualties

NAMES = {
    "en": {"opposition": "armed opposition", "aleppo-calm": "Aleppo regime of calm", "nusra": "Nusra Front",
           "cessation-of-hostilities": "Cessation of hostilities", "aleppo-city": "Aleppo city"},
    "ar": {"opposition": "المعارضة المسلحة", "aleppo-calm": "نظام التهدئة في حلب", "nusra": "جبهة النصرة",
           "cessation-of-hostilities": "وقف الأعمال العدائية", "aleppo-city": "مدينة حلب", "civilians": "مدنيون"},
    "ru": {"opposition": "вооружённая оппозиция", "aleppo-calm": "режим тишины в Халебе", "nusra": "Джебхат ан-Нусра",
           "cessation-of-hostilities": "режим прекращения боевых действий", "aleppo-city": "город Халеб",
           "civilians": "мирные жители"},
}  # fmt: skip

ALERT = Alert(
    id="alr_5f2c1b7a9d3e4c60",
    revision=1,
    status="raised",
    thread="thr_0a1b2c3d4e5f6071",
    incident_id="inc_9a8b7c6d5e4f3021",
    sent_at="2016-05-08T09:00:00Z",
    changes=(),
    headline="",
    verdict="violation",
    certainty="Possible",
    severity="Severe",
    act="shelling",
    occurred=Interval("2016-05-07T21:00:00Z", "2016-05-08T21:00:00Z"),
    place=ResolvedPlace("Midan, Aleppo", 36.214, 37.166, 1.0),
    perpetrators=(ResolvedParty("opposition fighters", "opposition"),),
    targets=(ResolvedParty("civilians", "civilians"),),
    casualties=Casualties(killed=1, injured=0),
    truces=("aleppo-calm", "cessation-of-hostilities"),
    reasons=(
        Reason("within_window", {"truce": "aleppo-calm"}, "The Aleppo regime of calm was in force then and there."),
        Reason(
            "umbrella_perpetrator", {"reported": "opposition fighters"}, "“opposition fighters” is an umbrella name."
        ),
        Reason("excluded_group_present", {"party": "nusra"}, "Nusra Front is recorded as present in the area."),
    ),
    source=SourceRef("State media", "C3"),
    areas=("aleppo-city",),
    texts={
        "ar": AlertTexts(
            reasons=("كان نظام التهدئة ساريًا.", "الاسم المذكور اسم جامع.", "جبهة النصرة موجودة في المنطقة.")
        ),
        "ru": AlertTexts(
            reasons=("Режим тишины действовал.", "Это собирательное название.", "В районе отмечена Джебхат ан-Нусра.")
        ),
    },
    names=NAMES,
    timezone="Asia/Damascus",
)

UPDATE_CHANGES = (
    Change("severity", "Moderate", "Severe"),
    Change("casualties", {"killed": 0, "injured": 3}, {"killed": 1}),
    Change("occurred", {"from": "2016-05-08T06:00:00Z", "to": "2016-05-08T06:00:00Z"},
           {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T21:00:00Z"}),
    Change("perpetrators", [], [{"reported": "rebels", "party": "opposition", "coalitions": []}]),
    Change("place", {"name": "Aleppo", "area": "aleppo-city"}, {"name": "Midan, Aleppo", "lat": 36.2, "lon": 37.1}),
    Change("truces", ["cessation-of-hostilities"], ["aleppo-calm", "cessation-of-hostilities"]),
)  # fmt: skip

#: Text that tries to break out of every place it is put into.
NASTY = (
    "x\r\nBcc: all@example.org\n\n</td><script>alert(1)</script>\u202egnp.exe\u2066 ]]> "
    "=?utf-8?q?a?= {name} %s \x00\x01"
)

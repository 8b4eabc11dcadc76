"""The text that stored documents are packed with: their fields, their codes, their usual forms.

Never changed: what was packed with it could not be read any more. A better one is a version more.
"""

from typing import Final

# fmt: off
VERSION_1: Final = (
    b'"airstrike","drone_strike","barrel_bomb","missile","rocket","shelling","mortar","tank_fire","heavy_machine_gun'
    b'","small_arms","sniping","armed_clash","ied","landmine","chemical","ground_assault","territorial_gain","weapon'
    b's_in_withdrawal_zone","overflight","troop_movement","occupation","siege","aid_obstruction","attack_on_aid","ab'
    b'duction","arrest","sexual_violence","civilian_harm","protest","prison_revolt","crime","accident","other"{"code'
    b'":"within_window","fact":{"truce":"","window":{"from":"2026-01-01T21:00:00Z","to":null}}},{"code":"outside_win'
    b'dow","fact":{"truce":"","window":{"from":"2026-01-01T21:00:00Z","to":"2026-01-01T21:00:00Z"}}},{"code":"outsid'
    b'e_area","fact":{"truce":"","areas":[]}},{"code":"outside_every_area",{"code":"outside_every_window",{"code":"t'
    b'ime_straddles_window",{"code":"window_disputed","fact":{"truce":"","window":{"from":"2026-01-01T21:00:00Z","to'
    b'":"2026-01-01T21:00:00Z"},"announcements":[]}},{"code":"place_too_coarse","fact":{"truce":"","area":"","share"'
    b':0.007}},{"code":"place_unresolved",{"code":"place_disagreement",{"code":"point_placeholder",{"code":"point_mi'
    b'rrored",{"code":"aggregate","fact":{"cause":""}},{"code":"act_not_prohibited","fact":{"act":"","truce":""}},{"'
    b'code":"bound_perpetrator","fact":{"reported":"","party":"","truce":""}},{"code":"umbrella_perpetrator","fact":'
    b'{"reported":"","party":""}},{"code":"unattributed",{"code":"umbrella_target","fact":{"reported":"","party":""}'
    b'},{"code":"unknown_target",{"code":"unresolved_party",{"code":"name_qualified",{"code":"name_out_of_period",{"'
    b'code":"excluded_perpetrator","fact":{"reported":"","party":"","truce":""}},{"code":"excluded_target","fact":{"'
    b'reported":"","party":"","truce":""}},{"code":"contested_attribution",{"code":"no_duty_between_parties","fact":'
    b'{"perpetrators":[],"targets":[],"act":"","truce":""}},{"code":"held_by_excluded_party","fact":{"party":"","are'
    b'a":"","truce":""}},{"code":"excluded_group_present","fact":{"party":"","area":""}},{"code":"implausible_perpet'
    b'rator",{"code":"self_defence_claimed",{"code":"aimed_at_excluded_claimed",{"code":"accident_claimed",{"code":"'
    b'source_grade","fact":{"grade":"","certainty":""}},{"code":"corroborated",{"code":"retracted",{"code":"place_de'
    b'cided",{"code":"party_decided",{"code":"verdict_decided""cause":{"kind":"registry","by":{"key":"","name":""},"'
    b'reason":null,"resources":["truces/"],"registry_version":{"id":"alr_","revision":1,"status":"cancelled","thread'
    b'":"thr_","incident_id":"","sent_at":"2026-01-01T00:00:00.000000Z","changes":[{"field":"certainty","before":nul'
    b'l,"after":"Likely"}],"headline":"","verdict":"undetermined","certainty":null,"severity":"Severe","act":"shelli'
    b'ng","occurred":{"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"},"place":{"name":"","lat":36.1,"lon"'
    b':37.1,"radius_km":1.0,"area":null},"perpetrators":[{"reported":"","party":"opposition","coalitions":[]}],"targ'
    b'ets":[{"reported":"civilians","party":"civilians","coalitions":[]}],"casualties":{"killed":null,"injured":0},"'
    b'truces":["",""],"reasons":[{"code":"within_window","fact":{"truce":"","window":{"from":"2026-01-01T00:00:00Z",'
    b'"to":null}}}],"source":{"name":"","grade":"B2"},"areas":[],"links":null,"texts":{"ar":{"headline":"","reasons"'
    b':[]},"ru":{"headline":"","reasons":[]}},"names":{"en":{},"ar":{},"ru":{}},"timezone":"Asia/Damascus","cause":{'
    b'"kind":"report","by":null,"reason":null,"resources":[],"registry_version":1}}{"incident_id":"","revision":1,"p'
    b'artner":"","received_at":"2026-01-01T00:00:00.000000Z","report":{"external_id":"","occurred":{"date":"2026-01-'
    b'01"},"act":"airstrike","location":{"place":"","lat":36.2,"lon":37.1,"radius_km":1.0,"area":""},"perpetrators":'
    b'["government forces"],"targets":["civilians","rebels"],"casualties":{"killed":1,"injured":2},"claims":["self_d'
    b'efence"],"sites":["hospital"],"aggregate":true,"description":" on the neighbourhood killed and injured civilia'
    b'ns. The report does not name ","source":{"name":"","grade":"C3","url":"https://www.","quotes":[]},"evidence":['
    b'],"language":"en"},"retracted":null}{"incident_id":"","revision":1,"assessed_at":"2026-01-01T00:00:00.000000Z"'
    b',"registry_version":1,"verdict":"not_covered","certainty":null,"severity":"Moderate","reasons":[],"perpetrator'
    b's":[],"targets":[],"place":{"name":"","lat":36.2,"lon":37.1,"radius_km":1.0,"area":null},"links":[{"incident_i'
    b'd":"","score":0.86}],"findings":[{"truce":"","outcome":"violation","certainty":"Possible","window":{"from":"20'
    b'26-01-01T00:00:00Z","to":null,"disputed":false,"area":"","announcements":[""]},"reasons":[{"code":"outside_win'
    b'dow","fact":{"truce":"","window":{"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"}}},{"code":"umbrel'
    b'la_perpetrator","fact":{"reported":"","party":""}},{"code":"bound_perpetrator","fact":{"reported":"","party":"'
    b'","truce":""}}]}],"occurred":{"from":"2026-01-01T21:00:00Z","to":"2026-01-02T21:00:00Z"},"act":"shelling","cas'
    b'ualties":{"killed":null,"injured":null},"source":{"name":"","grade":"B2"},"aggregate":false,"cause":{"kind":"r'
    b'eport","by":null,"reason":null,"resources":[],"registry_version":1},"decisions":[],"rules":null}'
)
# fmt: on

// Incidents that the rules cannot decide: a queue, the reasons first, and a decision with its reason.
import { useEffect, useState } from "preact/hooks";
import { act, all, get } from "../api.js";
import { html } from "../html.js";
import { capital, number, percent, t, term } from "../i18n.js";
import { requery, to } from "../router.js";
import { areaName, feelPulse, partyName, registry } from "../state.js";
import { Action, Empty, Field, Form, Loading, Page, Parties, Pick, Span, Time, Verdict, useLoad } from "../ui.js";
import { CERTAINTIES, VERDICTS } from "../vocabulary.js";

const KINDS = ["place", "parties", "verdict", "link"];
const BY_REASON = { unresolved_party: "parties", place_unresolved: "place", place_ambiguous: "place", place_disagreement: "place", point_mirrored: "place", contested_link: "link" };

export default function Review({ query }) {
  const [queue, problem, again] = useLoad(() => all("/v1/review", { why: query.why }), [query.why]);
  const [told, setTold] = useState(null);
  const chosen = query.incident || queue?.[0]?.incident_id;
  const decided = async (made, id) => {
    setTold({ ...made, incident: id });
    const at = queue.findIndex((one) => one.incident_id === id);
    const next = queue[at + 1] || queue[at - 1];
    again();
    feelPulse();
    requery({ incident: next && next.incident_id !== id ? next.incident_id : id }, { replace: true });
    document.querySelector("main h1")?.focus();
  };
  const undo = async () => {
    await act("DELETE", `/v1/review/${encodeURIComponent(told.incident)}/decision/${encodeURIComponent(told.id)}`);
    setTold(null);
    again();
    requery({ incident: told.incident }, { replace: true });
  };
  return html`<${Page} name=${t("desk.nav.review")}>
    ${told && html`<p class="note" role="status">${t("desk.review.decided")} <${Verdict} of=${told.assessment.verdict} plain /> <${Action} run=${undo}>${t("desk.review.undo")}</${Action}></p>`}
    ${!queue ? html`<${Loading} problem=${problem} />` : html`<div class="review">
      <section aria-labelledby="queue-name"><h2 id="queue-name">${t("desk.review.queue", { count: number(queue.length) })}</h2>
        ${queue.length === 0 ? html`<${Empty}>${t("desk.review.none")}</${Empty}>` : html`<ol class="rows queue">${queue.map((one) => html`<li class="row" key=${one.incident_id}>
          <a class="row-link" href=${to("/review", { ...query, incident: one.incident_id })} aria-current=${one.incident_id === chosen ? "true" : undefined}>${capital(term("act", one.assessment.act))}${t("desk.comma")}<bdi>${one.assessment.place?.name || t("desk.no_place")}</bdi></a>
          <small>${one.why.map((why) => t(`desk.review.why.${why}`)).join(t("desk.comma"))}</small></li>`)}</ol>`}
      </section>
      ${chosen && html`<${Item} key=${chosen} id=${chosen} decided=${decided} />`}
    </div>`}
  </${Page}>`;
}

function Item({ id, decided }) {
  const path = `/v1/review/${encodeURIComponent(id)}`;
  const [item, problem, again] = useLoad((signal) => get(path, {}, { signal, fresh: true }), [id]);
  const [kind, setKind] = useState(null);
  useEffect(() => {
    if (item) setKind(item.why.map((why) => BY_REASON[why]).find(Boolean) || "verdict");
  }, [item]);
  if (!item || !kind) return html`<section class="card"><${Loading} problem=${problem} /></section>`;
  const { assessment, candidates } = item;
  const names = [...new Set([...Object.keys(candidates.parties), ...assessment.perpetrators.concat(assessment.targets).filter((one) => !one.party).map((one) => one.reported)])];
  const offered = KINDS.filter((one) => (one !== "parties" || names.length > 0) && (one !== "link" || assessment.links.length > 0));
  const standing = item.decisions.filter((one) => !one.taken_back);
  const submit = async (event) => {
    const form = new FormData(event.target);
    const made = await act("POST", `${path}/decision`, { ...read(kind, form, names, candidates), reason: form.get("reason") });
    await decided(made, id);
  };
  return html`<section class="card" aria-labelledby="item-name">
    <h2 id="item-name"><a href=${to(`/incidents/${id}`)}>${capital(term("act", assessment.act))}${t("desk.comma")}<bdi>${assessment.place?.name || t("desk.no_place")}</bdi></a></h2>
    <p class="verdict-line"><${Verdict} of=${assessment.verdict} /> <${Span} from=${assessment.occurred.from} until=${assessment.occurred.to} /></p>
    ${item.why.length > 0 && html`<ul class="reasons">${item.reasons.map((one) => html`<li><bdi>${one.text}</bdi></li>`)}${item.reasons.length === 0 && item.why.map((why) => html`<li>${capital(t(`desk.review.why.${why}`))}</li>`)}</ul>`}
    <dl class="facts small"><div><dt>${t("field.perpetrators")}</dt><dd><${Parties} of=${assessment.perpetrators} /></dd></div><div><dt>${t("field.targets")}</dt><dd><${Parties} of=${assessment.targets} /></dd></div><div><dt>${t("field.source")}</dt><dd><bdi>${assessment.source?.name || "–"}</bdi></dd></div></dl>
    <${Form} onSubmit=${submit} class="stack">
      <fieldset><legend>${t("desk.review.what")}</legend><div class="choice">${offered.map((one) => html`<label><input type="radio" name="kind" value=${one} checked=${kind === one} onChange=${() => setKind(one)} /> ${t(`desk.review.kind.${one}`)}</label>`)}</div></fieldset>
      ${kind === "place" && html`<${PlaceChoice} places=${candidates.places} />`}
      ${kind === "parties" && names.map((name, at) => html`<${PartyChoice} key=${name} at=${at} name=${name} candidates=${candidates.parties[name] || []} />`)}
      ${kind === "verdict" && html`<div class="filter-grid"><${Field} label=${t("field.verdict")}><${Pick} name="verdict" initial=${assessment.verdict === "undetermined" ? "violation" : assessment.verdict} options=${VERDICTS.map((one) => [one, term("verdict", one)])} /></${Field}>
        <${Field} label=${t("field.certainty")} hint=${t("desk.review.certainty_hint")}><${Pick} name="certainty" initial="Likely" options=${CERTAINTIES.filter((one) => one !== "Unknown").map((one) => [one, term("certainty", one)])} /></${Field}></div>`}
      ${kind === "link" && html`<fieldset><legend>${t("desk.incident.links")}</legend>
        <${Field} label=${t("desk.incident")}><${Pick} name="linked" initial=${(assessment.links.find((one) => one.contested) || assessment.links[0]).incident_id} options=${assessment.links.map((one) => [one.incident_id, `${one.incident_id.slice(0, 12)}, ${t("desk.incident.alike", { share: percent(one.score) })}`])} /></${Field}>
        <div class="choice"><label><input type="radio" name="state" value="confirmed" checked /> ${t("desk.review.same")}</label><label><input type="radio" name="state" value="cut" /> ${t("desk.review.other")}</label></div></fieldset>`}
      <${Field} label=${t("desk.reason")} wide hint=${t("desk.announce.reason_hint")}><input name="reason" required maxlength="1000" dir="auto" /></${Field}>
      <button class="primary">${t("desk.review.decide")}</button>
    </${Form}>
    ${standing.length > 0 && html`<h3>${t("desk.review.standing")}</h3><ul class="linked">${standing.map(({ decision }) => html`<li><b><bdi>${decisionWords(decision)}</bdi></b> <small class="quiet"><bdi>${decision.by.name}</bdi>, <${Time} at=${decision.at} short /> · <bdi>${decision.reason}</bdi></small>
      <${Action} run=${async () => (await act("DELETE", `${path}/decision/${encodeURIComponent(decision.id)}`), again())}>${t("desk.review.undo")}</${Action}></li>`)}</ul>`}
  </section>`;
}

function PlaceChoice({ places }) {
  const [picked, setPicked] = useState(places.length > 0 ? "0" : "area");
  const pick = (event) => setPicked(event.target.value);
  return html`<fieldset><legend>${t("field.place")}</legend><div class="choice">
    ${places.map((one, at) => html`<label><input type="radio" name="place" value=${at} checked=${picked === String(at)} onChange=${pick} />
      <span><b><bdi>${one.name}</bdi></b> <small class="quiet">${where(one.place)} · ${t(`desk.review.basis.${one.basis}`)}${one.distance_km !== null && one.distance_km !== undefined ? ` · ${t("desk.review.away", { km: number(Math.round(one.distance_km * 10) / 10) })}` : ""}${one.score !== null && one.score !== undefined ? ` · ${percent(one.score)}` : ""}</small></span></label>`)}
    <label><input type="radio" name="place" value="area" checked=${picked === "area"} onChange=${pick} /> ${t("desk.review.an_area")}</label>
    <label><input type="radio" name="place" value="point" checked=${picked === "point"} onChange=${pick} /> ${t("desk.review.a_point")}</label></div>
    ${picked === "area" && html`<${Field} label=${t("desk.filter.area")}><${Pick} name="area" initial=${[...registry.value.areas.keys()][0]} options=${[...registry.value.areas.keys()].map((one) => [one, areaName(one)])} /></${Field}>`}
    ${picked === "point" && html`<div class="filter-grid"><${Field} label=${t("desk.place.lat")}><input name="lat" type="number" step="any" min="-90" max="90" required dir="ltr" /></${Field}><${Field} label=${t("desk.place.lon")}><input name="lon" type="number" step="any" min="-180" max="180" required dir="ltr" /></${Field}><${Field} label=${t("desk.place.radius")}><input name="radius" type="number" step="any" min="0.1" max="1000" value="1" required dir="ltr" /></${Field}></div>`}
  </fieldset>`;
}

const where = (place) => [typeof place.lat === "number" && `${place.lat}, ${place.lon}`, place.radius_km && t("desk.incident.radius", { km: number(place.radius_km) }), place.area && areaName(place.area)].filter(Boolean).join(t("desk.comma"));

function PartyChoice({ at, name, candidates }) {
  const [picked, setPicked] = useState(candidates.length > 0 ? candidates[0].id : "other");
  return html`<fieldset><legend><bdi>${name}</bdi></legend><div class="choice">
    ${candidates.map((one) => html`<label><input type="radio" name=${`party-${at}`} value=${one.id} checked=${picked === one.id} onChange=${() => setPicked(one.id)} /> <span><b><bdi>${one.name}</bdi></b> <small class="quiet">${percent(one.score)}</small></span></label>`)}
    <label><input type="radio" name=${`party-${at}`} value="other" checked=${picked === "other"} onChange=${() => setPicked("other")} /> ${t("desk.review.another_party")}</label>
    <label><input type="radio" name=${`party-${at}`} value="" checked=${picked === ""} onChange=${() => setPicked("")} /> ${t("desk.review.leave")}</label></div>
    ${picked === "other" && html`<${Field} label=${t("desk.filter.party")}><${Pick} name=${`other-${at}`} initial=${[...registry.value.parties.keys()][0]} options=${[...registry.value.parties.keys()].map((one) => [one, partyName(one)])} /></${Field}>`}</fieldset>`;
}

function read(kind, form, names, candidates) {
  if (kind === "verdict") {
    const verdict = form.get("verdict");
    return verdict === "violation" ? { verdict, certainty: form.get("certainty") } : { verdict };
  }
  if (kind === "link") return { link: { incident_id: form.get("linked"), state: form.get("state") } };
  if (kind === "parties") {
    const chosen = names.map((name, at) => [name, form.get(`party-${at}`) === "other" ? form.get(`other-${at}`) : form.get(`party-${at}`)]);
    return { parties: Object.fromEntries(chosen.filter(([, party]) => party)) };
  }
  const place = form.get("place");
  if (place === "area") return { place: { area: form.get("area") } };
  if (place === "point") return { place: { lat: Number(form.get("lat")), lon: Number(form.get("lon")), radius_km: Number(form.get("radius")) } };
  return { place: candidates.places[Number(place)].place };
}

function decisionWords(decision) {
  if (decision.verdict) return `${t("field.verdict")}: ${term("verdict", decision.verdict)}`;
  if (decision.place) return `${t("field.place")}: ${decision.place.place || where(decision.place)}`;
  if (decision.link) return `${t("desk.incident.links")}: ${t(`desk.link.${decision.link.state}`)}`;
  return Object.entries(decision.parties || {}).map(([name, party]) => `${name}: ${partyName(party)}`).join(t("desk.comma"));
}

// Report an incident by telephone or desk: what will be said of it first; without a network it is kept and sent once.
import { useRef, useState } from "preact/hooks";
import { act, all, get } from "../api.js";
import { html } from "../html.js";
import { ago, capital, localInput, named, t, term, withOffset, zone } from "../i18n.js";
import LateMap from "../late_map.js";
import { drop, outbox, put, sendAll } from "../outbox.js";
import { to } from "../router.js";
import { areaName, connected, me, now, registry, truceName } from "../state.js";
import { Action, Empty, Field, Form, Loading, Page, Refusal, Select, Verdict, useLoad } from "../ui.js";
import { ACTS, CLAIMS, SITES } from "../vocabulary.js";
import { Row } from "./live.js";

const DRAFT = "draft";
const RADII = [0.1, 1, 5, 25, 100, 300];

export default function Report({ query }) {
  const [known, problem, again] = useLoad(async (signal) => (query.correct ? get(`/v1/incidents/${encodeURIComponent(query.correct)}`, {}, { signal, fresh: true }) : null), [query.correct]);
  const [turn, setTurn] = useState(0);
  const [told, setTold] = useState(null);
  if (query.correct && !known) return html`<${Page} name=${t("desk.report.correct")}><${Loading} problem=${problem} /></${Page}>`;
  const done = (made) => {
    setTold(made);
    setTurn(turn + 1);
    if (query.correct) again();
    document.querySelector("main h1")?.focus();
  };
  return html`<${Page} name=${t(query.correct ? "desk.report.correct" : "desk.report")}>
    ${told && html`<div class="note" role="status">${told.kept ? html`<p>${t("desk.report.kept")}</p>` : html`<p>${t("desk.report.sent")} <a href=${to(`/incidents/${told.id}`)}>${t("desk.report.see")}</a></p>`}
      ${told.warnings?.map((one) => html`<p><bdi>${one.detail}</bdi></p>`)}</div>`}
    <${Editor} key=${`${query.correct}-${known?.revision}`} correcting=${known} done=${done} />
    <${Kept} />
    <${Own} turn=${turn} />
  </${Page}>`;
}

const remembered = () => {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT)) || {};
  } catch {
    return {};
  }
};

function Editor({ correcting, done }) {
  const [places] = useLoad(() => all("/v1/places"), []);
  const [fields, setFields] = useState(() => (correcting ? unread(correcting.report) : { date: localInput(now.value).slice(0, 10), act: "shelling", radius: "1", ...remembered() }));
  const [judged, setJudged] = useState(null);
  const [locating, setLocating] = useState("");
  const [picking, setPicking] = useState(false);
  const latest = useRef();
  latest.current = fields;
  const setAll = (changes) => {
    const next = { ...latest.current, ...changes };
    setFields(next);
    setJudged(null);
    if (!correcting) sessionStorage.setItem(DRAFT, JSON.stringify(next));
  };
  const set = (name, value) => setAll({ [name]: value });
  const on = (name) => (event) => set(name, event.target.value);
  const toggle = (name, value) => (event) => set(name, event.target.checked ? [...(fields[name] || []), value] : (fields[name] || []).filter((one) => one !== value));
  const submit = async (event) => {
    const report = read(fields, correcting);
    if (event.submitter?.value === "evaluate") {
      setJudged(await act("POST", "/v1/evaluate", report));
      return;
    }
    try {
      const answer = await act("POST", "/v1/incidents", report, correcting ? { headers: { "if-match": `"${correcting.revision}"` } } : {});
      finish({ id: answer.incident_id, warnings: answer.warnings || [] });
    } catch (error) {
      if (error.status !== 0 || correcting) throw error;
      put(report);
      finish({ kept: true });
    }
  };
  const finish = (made) => {
    sessionStorage.removeItem(DRAFT);
    setJudged(null);
    if (!correcting) setFields({ date: fields.date, act: fields.act, radius: fields.radius, source: fields.source, grade: fields.grade });
    done(made);
  };
  const locate = () => {
    setLocating(t("desk.report.locating"));
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        setAll({ lat: coords.latitude.toFixed(5), lon: coords.longitude.toFixed(5), radius: String(Math.max(0.1, Math.ceil(coords.accuracy / 100) / 10)) });
        setLocating("");
      },
      () => setLocating(t("desk.report.no_location")),
      { enableHighAccuracy: true, timeout: 20000 },
    );
  };
  const pickPoint = ({ lat, lng }) => setAll({ lat: lat.toFixed(5), lon: lng.toFixed(5) });
  const pickPlace = (event) => {
    const name = event.target.value;
    const found = (places || []).find((one) => one.name === name || one.aliases?.includes(name));
    setAll({ place: name, ...(found ? { lat: String(found.lat), lon: String(found.lon), radius: String(found.radius_km) } : {}) });
  };
  const parties = [...registry.value.parties.values()].flatMap((one) => [named(one.name), ...(one.aliases || []).map((alias) => (typeof alias === "string" ? alias : alias.name))]);
  const radii = [...new Set([...RADII.map(String), String(fields.radius || "")])].filter(Boolean).sort((a, b) => a - b);
  return html`<${Form} onSubmit=${submit} class="stack report">
    <${Field} label=${t("field.act")}><select value=${fields.act} onChange=${on("act")} required>${ACTS.map((one) => html`<option value=${one} selected=${one === fields.act}>${capital(term("act", one))}</option>`)}</select></${Field}>
    <fieldset><legend>${t("field.occurred")} <small class="quiet">${t("desk.zone", { zone })}</small></legend><div class="filter-grid">
      <${Field} label=${t("desk.report.date")}><input type="date" value=${fields.date || ""} onInput=${on("date")} required /></${Field}>
      <${Field} label=${t("desk.report.time")} hint=${t("desk.report.time_hint")}><input type="time" value=${fields.time || ""} onInput=${on("time")} /></${Field}>
      <${Field} label=${t("desk.report.until")} hint=${t("desk.report.until_hint")}><input type="datetime-local" value=${fields.until || ""} onInput=${on("until")} /></${Field}></div></fieldset>
    <fieldset><legend>${t("field.place")}</legend><div class="filter-grid">
      <${Field} label=${t("desk.report.place")}><input list="places" value=${fields.place || ""} onInput=${pickPlace} maxlength="300" dir="auto" autocomplete="off" /></${Field}>
      <${Field} label=${t("desk.filter.area")}><${Select} value=${fields.area || ""} options=${[["", t("desk.filter.any")], ...[...registry.value.areas.keys()].map((one) => [one, areaName(one)])]} onChange=${(value) => set("area", value)} /></${Field}>
      <${Field} label=${t("desk.place.lat")}><input type="number" step="any" min="-90" max="90" value=${fields.lat || ""} onInput=${on("lat")} dir="ltr" /></${Field}>
      <${Field} label=${t("desk.place.lon")}><input type="number" step="any" min="-180" max="180" value=${fields.lon || ""} onInput=${on("lon")} dir="ltr" /></${Field}>
      <${Field} label=${t("desk.place.radius")}><select value=${String(fields.radius)} onChange=${on("radius")}>${radii.map((one) => html`<option value=${one} selected=${one === String(fields.radius)}>${t("desk.incident.radius", { km: one })}</option>`)}</select></${Field}></div>
      <datalist id="places">${(places || []).slice(0, 1000).map((one) => html`<option value=${one.name}></option>`)}</datalist>
      <p class="actions"><button type="button" aria-expanded=${picking} onClick=${() => setPicking(!picking)}>${t(picking ? "desk.map.hide" : "desk.map.pick_open")}</button>
        ${"geolocation" in navigator && html`<button type="button" onClick=${locate}>${t("desk.report.locate")}</button><span role="status">${locating}</span>`}</p>
      ${picking && html`<${LateMap} small features=${marked(fields)} areas=${fields.area ? [fields.area] : []} onPick=${pickPoint} />`}
    </fieldset>
    <fieldset><legend>${t("field.parties")}</legend><datalist id="parties">${[...new Set(parties)].map((one) => html`<option value=${one}></option>`)}</datalist><div class="filter-grid">
      <${Field} label=${t("field.perpetrators")} hint=${t("desk.report.several")}><input list="parties" value=${fields.perpetrators || ""} onInput=${on("perpetrators")} dir="auto" autocomplete="off" /></${Field}>
      <${Field} label=${t("field.targets")} hint=${t("desk.report.several")}><input list="parties" value=${fields.targets || ""} onInput=${on("targets")} dir="auto" autocomplete="off" /></${Field}>
      <${Field} label=${capital(t("desk.count.killed"))}><input type="number" min="0" value=${fields.killed || ""} onInput=${on("killed")} /></${Field}>
      <${Field} label=${capital(t("desk.count.injured"))}><input type="number" min="0" value=${fields.injured || ""} onInput=${on("injured")} /></${Field}></div></fieldset>
    <${Field} label=${t("desk.incident.description")} wide><textarea rows="4" maxlength="10000" dir="auto" value=${fields.description || ""} onInput=${on("description")}></textarea></${Field}>
    <fieldset><legend>${t("field.source")}</legend><div class="filter-grid">
      <${Field} label=${t("desk.report.source")}><input value=${fields.source || ""} onInput=${on("source")} required maxlength="300" dir="auto" /></${Field}>
      <${Field} label=${t("desk.report.grade")} hint=${t("desk.report.grade_hint")}><input value=${fields.grade || ""} onInput=${on("grade")} pattern="[A-F][1-6]" maxlength="2" dir="ltr" /></${Field}></div></fieldset>
    <details class="filters"><summary>${t("desk.report.more")}</summary>
      <fieldset><legend>${t("desk.incident.claims")}</legend><div class="choice">${CLAIMS.map((one) => html`<label><input type="checkbox" checked=${(fields.claims || []).includes(one)} onChange=${toggle("claims", one)} /> ${t(`desk.claim.${one}`)}</label>`)}</div></fieldset>
      <fieldset><legend>${t("desk.incident.sites")}</legend><div class="choice">${SITES.map((one) => html`<label><input type="checkbox" checked=${(fields.sites || []).includes(one)} onChange=${toggle("sites", one)} /> ${t(`desk.site.${one}`)}</label>`)}</div></fieldset>
    </details>
    ${judged && html`<div class="preview" role="status"><p>${t("desk.report.would_be")} <${Verdict} of=${judged.verdict} /></p>
      ${judged.reasons.length > 0 && html`<ul class="reasons">${judged.reasons.map((one) => html`<li><bdi>${one.text}</bdi></li>`)}</ul>`}
      ${judged.findings.map((one) => html`<div><p><b><bdi>${truceName(one.truce)}</bdi></b>: ${term("verdict", one.outcome)}</p><ul class="reasons">${one.reasons.map((reason) => html`<li><bdi>${reason.text}</bdi></li>`)}</ul></div>`)}</div>`}
    <div class="actions"><button value="evaluate">${t("desk.report.evaluate")}</button><button value="send" class="primary">${t(connected.value ? "desk.report.send" : "desk.report.keep")}</button></div>
  </${Form}>`;
}

// The place that the fields say, as the map draws it.
const marked = ({ lat, lon, radius, act }) => (lat && lon && Math.abs(lat) <= 85 && Math.abs(lon) <= 180 ? [{ id: "", geometry: { type: "Point", coordinates: [Number(lon), Number(lat)] }, properties: { verdict: "none", act, radius: Number(radius) } }] : []);

const several = (text) => (text || "").split(/[;؛\n]/).map((one) => one.trim()).filter(Boolean);

// The report as the API takes it.
function read(fields, correcting) {
  const report = correcting ? { ...correcting.report } : { external_id: `desk-${crypto.randomUUID()}`, language: document.documentElement.lang };
  report.act = fields.act;
  if (!fields.time && !fields.until) report.occurred = { date: fields.date };
  else {
    const from = withOffset(`${fields.date}T${fields.time || "00:00"}`);
    report.occurred = fields.until ? { from, to: withOffset(fields.until) } : from;
  }
  report.location = {};
  if (fields.place) report.location.place = fields.place;
  if (fields.area) report.location.area = fields.area;
  if (fields.lat && fields.lon) Object.assign(report.location, { lat: Number(fields.lat), lon: Number(fields.lon), radius_km: Number(fields.radius) });
  report.perpetrators = several(fields.perpetrators);
  report.targets = several(fields.targets);
  report.casualties = Object.fromEntries(["killed", "injured"].filter((kind) => fields[kind] !== undefined && fields[kind] !== "").map((kind) => [kind, Number(fields[kind])]));
  report.claims = fields.claims || [];
  report.sites = fields.sites || [];
  report.description = fields.description || "";
  report.source = { ...(correcting?.report.source || {}), name: fields.source };
  if (fields.grade) report.source.grade = fields.grade;
  else delete report.source.grade;
  return report;
}

// The fields of the form that a report fills.
function unread(report) {
  const when = report.occurred;
  const [from, until] = typeof when === "string" ? [when, null] : when.date ? [null, null] : [when.from, when.to];
  const start = from && localInput(from);
  const place = report.location || {};
  return {
    act: report.act,
    date: when.date || start.slice(0, 10),
    time: start ? start.slice(11) : "",
    until: until ? localInput(until) : "",
    place: place.place || "",
    area: place.area || "",
    lat: place.lat === undefined || place.lat === null ? "" : String(place.lat),
    lon: place.lon === undefined || place.lon === null ? "" : String(place.lon),
    radius: String(place.radius_km || 0.1),
    perpetrators: (report.perpetrators || []).join("; "),
    targets: (report.targets || []).join("; "),
    killed: report.casualties?.killed ?? "",
    injured: report.casualties?.injured ?? "",
    description: report.description || "",
    source: report.source?.name || "",
    grade: report.source?.grade || "",
    claims: report.claims || [],
    sites: report.sites || [],
  };
}

// Reports that wait on this device.
function Kept() {
  const mine = outbox.value.filter((one) => one.name === me.value.name);
  if (mine.length === 0) return null;
  return html`<section><h2>${t("desk.report.waiting")}</h2><ul class="linked">${mine.map((one) => html`<li key=${one.report.external_id}>${capital(term("act", one.report.act))}${t("desk.comma")}<bdi>${one.report.location.place || ""}</bdi> <small class="quiet">${ago(one.kept_at, now.value)}</small>
    ${one.problem && html`<${Refusal} problem=${{ status: 422, message: one.problem.message, errors: one.problem.errors }} />`}
    <${Action} run=${async () => drop(one.report.external_id)} confirm=${t("desk.report.sure")}>${t("desk.report.discard")}</${Action}></li>`)}</ul>
    ${connected.value && mine.some((one) => !one.problem) && html`<${Action} run=${sendAll}>${t("desk.report.send_now")}</${Action}>`}</section>`;
}

// Own reports with what became of them.
function Own({ turn }) {
  const [found, problem] = useLoad((signal) => get("/v1/incidents", { order: "-received", limit: 20 }, { signal, fresh: true }), [turn, outbox.value.length, Math.floor(now.value / 5000)]);
  const mine = (found?.items || []).filter((one) => one.partner === me.value.name);
  return html`<section><h2>${t("desk.nav.own")}</h2>${!found ? html`<${Loading} problem=${problem} />` : mine.length === 0 ? html`<${Empty}>${t("desk.report.none")}</${Empty}>` : html`<ol class="rows">${mine.map((one) => html`<${Row} key=${one.incident_id} incident=${one} />`)}</ol>`}</section>`;
}

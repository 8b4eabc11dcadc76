// Incidents as they come: a list that does not move what is being read.
import { useEffect, useRef, useState } from "preact/hooks";
import { useComputed } from "@preact/signals";
import { address, get, key, send } from "../api.js";
import { html } from "../html.js";
import LateMap, { MapButton, useShown } from "../late_map.js";
import { ago, capital, day, length, localInput, n, named, span, t, term, withOffset } from "../i18n.js";
import { Periods, WEEK_MS, readEnd } from "../periods.js";
import { requery, to } from "../router.js";
import { areaName, connected, may, now, partyName, registry, status, truceName } from "../state.js";
import { Chip, Field, Loading, Page, Select, Span, Verdict, placeWords } from "../ui.js";
import { ACTS, CERTAINTIES, SEVERITIES, VERDICTS } from "../vocabulary.js";

const POLL_MS = 2000;
const PAGE = 100;
const MOST = 500;
export const FILTERS = ["q", "truce", "area", "party", "act", "verdict", "min_severity", "min_certainty", "state", "bbox"];

const chosen = (query) => Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));

// Without times, the last seven days of what is stored, which may be long past.
async function readWindow(query, live, stop) {
  if (query.from || query.to || !live) return { from: query.from, to: query.to };
  const { end, past } = await readEnd(stop);
  return { from: new Date(end - WEEK_MS).toISOString(), past };
}

export default function Live({ path, query }) {
  const live = !path.endsWith("/incidents");
  const order = query.order || (live ? "-received" : "-occurred");
  const asked = JSON.stringify([chosen(query), query.from, query.to, order]);
  const [period, setPeriod] = useState(null);
  const [head, setHead] = useState(null);
  const [older, setOlder] = useState([]);
  const [next, setNext] = useState(null);
  const [waiting, setWaiting] = useState(null);
  const [problem, setProblem] = useState(null);
  const [more, setMore] = useState(false);
  const top = useRef();
  const shown = useRef();
  shown.current = head;

  useEffect(() => {
    const stop = new AbortController();
    setHead(null);
    setOlder([]);
    setWaiting(null);
    setProblem(null);
    let timer;
    let latest = 0;
    let window_;
    const read = async () => {
      const turn = ++latest;
      try {
        window_ ||= await readWindow(query, live, stop.signal);
        const page = await get("/v1/incidents", { ...chosen(query), from: window_.from, to: window_.to, order, limit: PAGE }, { signal: stop.signal, fresh: true });
        if (turn !== latest) return;
        setPeriod(window_);
        setProblem(null);
        take(page);
      } catch (error) {
        if (!stop.signal.aborted) setProblem(error);
      }
    };
    const take = (answer) => {
      const before = shown.current;
      const page = { ...answer, items: asBefore(answer.items, before || []) };
      const known = new Set((before || []).map((one) => one.incident_id));
      const fresh = page.items.filter((one) => !known.has(one.incident_id));
      if (before && fresh.length && isReading(top.current)) {
        const by = new Map(page.items.map((one) => [one.incident_id, one]));
        setHead(before.map((one) => by.get(one.incident_id) || one));
        setWaiting({ page, count: fresh.length });
        return;
      }
      setWaiting(null);
      show(page);
    };
    const poll = async () => {
      await read();
      if (!stop.signal.aborted && live) timer = setTimeout(poll, POLL_MS);
    };
    poll();
    if (live && may("monitor")) listen(stop.signal, () => [0, 250, 700].forEach((wait) => setTimeout(() => stop.signal.aborted || read(), wait)));
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, live, key.value]);

  const heads = new Set((head || []).map((one) => one.incident_id));
  // The newest page; what it pushed off its end goes before the older rows, of which so many are kept.
  const show = (page) => {
    const before = shown.current;
    const within = new Set(page.items.map((one) => one.incident_id));
    const pushed = before && page.has_more ? before.slice(before.findLastIndex((one) => within.has(one.incident_id)) + 1) : [];
    if (pushed.length) setOlder((rest) => [...pushed, ...rest].slice(0, MOST - PAGE));
    if (!before) setNext(page.has_more ? page.next : null);
    setHead(page.items);
  };
  const rows = [...(head || []), ...older.filter((one) => !heads.has(one.incident_id))];
  const showWaiting = () => {
    show(waiting.page);
    setWaiting(null);
    scrollTo({ top: 0 });
    requestAnimationFrame(() => top.current?.querySelector(".row-link")?.focus());
  };
  const readOlder = async () => {
    setMore(true);
    try {
      const page = await get("/v1/incidents", { ...chosen(query), from: period.from, to: period.to, order, limit: PAGE, after: next });
      setOlder((before) => [...before, ...page.items].slice(0, MOST - PAGE));
      setNext(page.has_more ? page.next : null);
    } catch (error) {
      setProblem(error);
    }
    setMore(false);
  };
  const [features, setFeatures] = useState([]);
  const newest = JSON.stringify((head || []).map((one) => [one.incident_id, one.verdict]));
  const [shownMap, turnMap] = useShown();
  useEffect(() => {
    if (!shownMap || !period) return;
    const stop = new AbortController();
    const query_ = { ...chosen(query), from: period.from, to: period.to };
    const timer = setTimeout(() => get("/v1/incidents", query_, { signal: stop.signal, fresh: true, headers: { accept: "application/geo+json" } }).then((found) => setFeatures(found.features), () => {}), 300);
    return () => (stop.abort(), clearTimeout(timer));
  }, [newest, period, asked, shownMap]);
  const box = useRef(query.bbox);
  const onMove = (edges) => {
    box.current = edges.map((one) => one.toFixed(3)).join(",");
    if (query.bbox) requery({ bbox: box.current }, { replace: true });
  };
  const name = live ? t("desk.nav.live") : may("monitor") ? t("desk.nav.incidents") : t("desk.nav.own");
  return html`<${Page} name=${name}>
    ${live && html`<${TruceStrip} />`}
    <${Periods} truce=${query.truce} />
    <${Filters} query=${query} live=${live} order=${order} />
    ${period?.past && html`<p class="note">${t("desk.live.past", { span: span(period.from, period.past) })}</p>`}
    ${head === null
      ? html`<${Loading} problem=${problem} />`
      : html`<p class="quiet" role="status">${problem ? t("desk.live.stale") : live ? n("desk.live.shown", rows.length) : n("desk.list.shown", rows.length)}${next ? ` ${t("desk.live.and_more")}` : ""}</p>
        <div class=${`beside ${shownMap ? "with-map" : ""}`}><div ref=${top} class="list">
          ${waiting && html`<button type="button" class="waiting" onClick=${showWaiting}>${n("desk.live.new", waiting.count)}</button>`}
          ${rows.length === 0 ? html`<p class="empty">${t("desk.live.none")}</p>` : html`<ol class="rows">${rows.map((one) => html`<${Row} key=${one.incident_id} incident=${one} />`)}</ol>`}
          ${next && (rows.length < MOST ? html`<button type="button" onClick=${readOlder} aria-busy=${more}>${t("desk.live.older")}</button>` : html`<p class="note">${n("desk.live.most", MOST)}</p>`)}
        </div>
        <div class="map-side"><p class="actions"><${MapButton} shown=${shownMap} turn=${turnMap} />
          ${shownMap && html`<label class="check"><input type="checkbox" checked=${Boolean(query.bbox)} onChange=${(event) => requery({ bbox: event.target.checked ? box.current || "" : "" })} /> ${t("desk.map.only")}</label>`}</p>
          ${shownMap && html`<${LateMap} features=${features} onMove=${onMove} />`}</div></div>`}
  </${Page}>`;
}

// An incident that did not change stays the very same object, and its row is not made anew.
function asBefore(items, before) {
  const known = new Map(before.map((one) => [one.incident_id, one]));
  return items.map((one) => (JSON.stringify(known.get(one.incident_id)) === JSON.stringify(one) ? known.get(one.incident_id) : one));
}

// Whether somebody is within the list: scrolled into it, or on one of its rows.
function isReading(list) {
  if (!list) return false;
  return list.getBoundingClientRect().top < -8 || list.contains(document.activeElement?.closest?.(".row"));
}

// The stream of alerts, which says at once that there is something new. It comes back after it broke off.
async function listen(stop, heard) {
  let last;
  while (!stop.aborted) {
    try {
      const answer = await fetch(address("/v1/alerts/stream"), { headers: { authorization: `Bearer ${key.value}`, ...(last ? { "last-event-id": last } : {}) }, signal: stop });
      if (answer.status === 401 || answer.status === 403 || answer.status === 429) return;
      if (answer.status === 410) last = undefined;
      if (answer.ok) {
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let text = ""; ; ) {
          const { done, value } = await reader.read();
          if (done) break;
          const parts = (text + value).split(/\r?\n/);
          text = parts.pop().slice(-1000);
          for (const line of parts) if (line.startsWith("id:")) last = line.slice(3).trim();
          if (parts.some((line) => line.startsWith("data:"))) heard();
        }
      }
    } catch {
      if (stop.aborted) return;
    }
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

// Its text alone changes with the clock, and not the row.
const Received = ({ at }) => html`${useComputed(() => t("desk.live.received", { ago: ago(at, now.value) }))}`;

export function Row({ incident }) {
  const report = incident.report;
  const place = report.location || {};
  const where = place.place || (place.area ? areaName(place.area) : placeWords(place));
  const sure = incident.verdict === "violation" && incident.certainty;
  return html`<li class=${`row ${incident.severity || ""} ${incident.state}`}>
    <div class="row-verdict"><${Verdict} of=${incident.verdict} />${sure && html`<small>${term("certainty", incident.certainty)}</small>`}</div>
    <div class="row-what">
      <a class="row-link" href=${to(`/incidents/${incident.incident_id}`)}>${capital(term("act", report.act))}${t("desk.comma")}<bdi>${where}</bdi></a>
      <small class="quiet">${incident.state === "retracted" ? html`<${Chip} kind="warn">${t("desk.state.retracted")}</${Chip}> ` : ""}${incident.severity ? `${term("severity", incident.severity)} · ` : ""}${report.source ? html`<bdi>${report.source.name}</bdi>` : ""}</small>
    </div>
    <div class="row-truces">${(incident.truces || []).map((id) => html`<${Chip}><bdi>${truceName(id)}</bdi></${Chip}>`)}</div>
    <div class="row-when"><${Span} from=${incident.occurred.from} until=${incident.occurred.to} /><small class="quiet"><${Received} key=${incident.received_at} at=${incident.received_at} /></small></div>
  </li>`;
}

function TruceStrip() {
  const found = status.value?.truces;
  if (!found || !connected.value) return null;
  const truces = found.in_force;
  return html`<section class="strip" aria-label=${t("console.truces")}>${truces.length === 0
    ? html`<p class="quiet">${t("desk.live.no_truce")}</p>`
    : truces.map((one) => html`<a class="truce-chip" href=${to(`/truces/${one.id}`)}><b><bdi>${named(one.name)}</bdi></b>
        <small>${one.to ? t("desk.truce.ends_in", { left: length(Date.parse(one.to) - now.value) }) : t("console.open_end")}</small>${one.disputed && html` <${Chip} kind="warn">${t("console.disputed")}</${Chip}>`}</a>`)}</section>`;
}

const entries = (map, name) => [...map.values()].map((one) => [one.id, name(one.id)]).sort((a, b) => a[1].localeCompare(b[1]));

function Filters({ query, live, order }) {
  const { truces, parties, areas } = registry.value;
  const any = [["", t("desk.filter.any")]];
  const set = (name) => (value) => requery({ [name]: value });
  const at = (name) => (event) => requery({ [name]: event.target.value ? withOffset(event.target.value) : "" });
  const active = FILTERS.filter((name) => query[name]);
  const words = {
    q: (value) => value,
    truce: truceName,
    area: areaName,
    party: partyName,
    act: (value) => term("act", value),
    verdict: (value) => term("verdict", value),
    min_severity: (value) => term("severity", value),
    min_certainty: (value) => term("certainty", value),
    state: (value) => t(`desk.state.${value}`),
    bbox: (value) => value,
  };
  const terms = (kind, values) => [...any, ...values.map((one) => [one, term(kind, one)])];
  const choices = {
    verdict: terms("verdict", VERDICTS),
    truce: [...any, ...entries(truces, truceName)],
    act: terms("act", ACTS),
    area: [...any, ...entries(areas, areaName)],
    party: [...any, ...entries(parties, partyName)],
    min_severity: terms("severity", SEVERITIES),
    min_certainty: terms("certainty", CERTAINTIES.filter((one) => one !== "Unknown")),
    state: [...any, ...["accepted", "assessed", "retracted", "dead_lettered"].map((one) => [one, t(`desk.state.${one}`)])],
  };
  return html`<details class="filters">
    <summary>${t("desk.filters")} <span class="chips">
      ${active.map((name) => html`<${Chip}><span>${t(`desk.filter.${name}`)}: <bdi>${words[name](query[name])}</bdi></span></${Chip}>`)}
      ${(query.from || query.to) && html`<${Chip}>${query.from ? day(query.from) : "…"} – ${query.to ? day(query.to) : "…"}</${Chip}>`}
    </span></summary>
    <div class="filter-grid">
      <${Field} label=${t("desk.filter.q")} hint=${t("desk.filter.q_hint")}><input type="search" value=${query.q || ""} onChange=${(event) => requery({ q: event.target.value.trim() })} dir="auto" /></${Field}>
      ${Object.entries(choices).map(([name, options]) => html`<${Field} label=${t(`desk.filter.${name}`)}><${Select} value=${query[name] || ""} options=${options} onChange=${set(name)} /></${Field}>`)}
      <${Field} label=${t("desk.filter.from")}><input type="datetime-local" value=${query.from ? localInput(query.from) : ""} onChange=${at("from")} /></${Field}>
      <${Field} label=${t("desk.filter.to")}><input type="datetime-local" value=${query.to ? localInput(query.to) : ""} onChange=${at("to")} /></${Field}>
      <${Field} label=${t("desk.filter.order")}><${Select} value=${order} options=${["-received", "-occurred", "received", "occurred"].map((one) => [one, t(`desk.order.${one}`)])} onChange=${set("order")} /></${Field}>
      <div class="field"><button type="button" onClick=${() => requery(Object.fromEntries([...FILTERS, "from", "to", "order"].map((name) => [name, ""])))}>${live && !active.length ? t("desk.filter.week") : t("desk.filter.clear")}</button></div>
    </div>
  </details>`;
}

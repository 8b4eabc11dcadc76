// The announcement of an issuer, taken down: preview first, with the windows before and after and what would flip, then confirm.
import { useState } from "preact/hooks";
import { act, get } from "./api.js";
import { html } from "./html.js";
import LateMap from "./late_map.js";
import { spanOf } from "./periods.js";
import { n, span, t, term } from "./i18n.js";
import { areaName, now, partyName, readRegistry, registry } from "./state.js";
import { Field, Form, IncidentLink, Pick, Select, useLoad } from "./ui.js";
import { Timeline } from "./timeline.js";

const ACTIONS = ["extend", "declare", "restate", "end", "withdraw"];

export function Announce({ truce, windows, done }) {
  const [open, setOpen] = useState(false);
  const [action, setAction] = useState(truce.announcements.length ? "extend" : "declare");
  const [preview, setPreview] = useState(null);
  const [made, setMade] = useState(null);
  const path = `/v1/truces/${encodeURIComponent(truce.id)}/announcements`;
  const submit = async (event) => {
    const form = new FormData(event.target);
    const said = read(form, truce);
    if (event.submitter?.value === "confirm") {
      const answer = await act("POST", `${path}?reason=${encodeURIComponent(form.get("reason"))}`, said);
      setMade(answer);
      setPreview(null);
      setOpen(false);
      await readRegistry();
      done();
    } else {
      setPreview(await act("POST", `${path}?dry_run=true`, said));
    }
  };
  const stale = () => setPreview(null);
  if (!open) return html`<p class="actions"><button type="button" class="primary" onClick=${() => (setOpen(true), setMade(null))}>${t("desk.announce")}</button>
    ${made && html`<span role="status">${t("desk.announce.made", { version: made.registry_version })}</span>`}</p>`;
  const issuers = [...registry.value.parties.keys()].map((one) => [one, partyName(one)]).sort((a, b) => a[1].localeCompare(b[1]));
  const likely = truce.announcements.at(-1)?.issuer || truce.guarantors?.[0] || issuers[0]?.[0];
  const earlier = truce.announcements.map((one) => [one.id, `${partyName(one.issuer)} (${one.id})`]).reverse();
  return html`<section class="card"><h2>${t("desk.announce")}</h2><${Form} onSubmit=${submit} onInput=${stale} class="stack">
    <div class="filter-grid">
      <${Field} label=${t("desk.announce.action")}><${Select} name="action" value=${action} options=${ACTIONS.map((one) => [one, t(`desk.action.${one}`)])} onChange=${setAction} /></${Field}>
      <${Field} label=${t("desk.announce.issuer")}><${Pick} name="issuer" initial=${likely} options=${issuers} /></${Field}>
      ${action !== "withdraw" && action !== "end" && html`<${Field} label=${t("desk.announce.from")}><input type="datetime-local" name="from" /></${Field}>`}
      ${action !== "withdraw" && html`<${Field} label=${t("desk.announce.until")} hint=${action === "end" ? "" : t("desk.announce.open_hint")}><input type="datetime-local" name="until" required=${action === "end"} /></${Field}>`}
      ${action !== "withdraw" && html`<${Field} label=${t("desk.filter.area")}><${Pick} name="area" options=${[["", t("desk.announce.whole")], ...[...registry.value.areas.keys()].map((one) => [one, areaName(one)])]} onChange=${stale} /></${Field}>`}
      ${action === "restate" && html`<${Field} label=${t("desk.announce.restates")}><${Pick} name="restates" initial=${earlier[0]?.[0]} options=${earlier} /></${Field}>`}
      ${action === "withdraw" && html`<${Field} label=${t("desk.announce.withdraws")}><${Pick} name="withdraws" initial=${earlier[0]?.[0]} options=${earlier} /></${Field}>`}
    </div>
    <${Field} label=${t("desk.announce.words")} wide><textarea name="words" rows="2" maxlength="2000" dir="auto"></textarea></${Field}>
    ${preview && html`<${Preview} preview=${preview} />`}
    ${preview && html`<${Field} label=${t("desk.reason")} wide hint=${t("desk.announce.reason_hint")}><input name="reason" required maxlength="500" onInput=${(event) => event.stopPropagation()} /></${Field}>`}
    <div class="actions"><button value="preview" class=${preview ? "" : "primary"} formnovalidate=${Boolean(preview)}>${t("desk.preview")}</button>
      ${preview && html`<button value="confirm" class="primary">${t("desk.confirm")}</button>`}
      <button type="button" onClick=${() => setOpen(false)}>${t("desk.cancel")}</button></div>
  </${Form}></section>`;
}

// The announcement as the API takes it; its id is its issuer's with the day, and a number where that is taken.
function read(form, truce) {
  const at = new Date(now.value).toISOString();
  const stem = `${form.get("issuer")}-${at.slice(0, 10).replaceAll("-", "")}`;
  const taken = new Set(truce.announcements.map((one) => one.id));
  let id = stem;
  for (let count = 2; taken.has(id); count += 1) id = `${stem}-${count}`;
  const said = { id, issuer: form.get("issuer"), action: form.get("action"), announced_at: at, text: form.get("words") };
  for (const [field, name] of [["starts_at", "from"], ["ends_at", "until"], ["area", "area"], ["restates", "restates"], ["withdraws", "withdraws"]]) if (form.get(name)) said[field] = form.get(name);
  if (["declare"].includes(said.action) && !said.ends_at) said.ends_at = null;
  return said;
}

// The effect of a change: windows before and after, and the verdicts that would turn.
export function Preview({ preview }) {
  return html`<div class="preview" role="status">
    ${preview.windows.map((one) => html`<div class="two"><div><h3>${t("desk.preview.before")}</h3><${WindowList} windows=${one.before} /></div><div><h3>${t("desk.preview.after")}</h3><${WindowList} windows=${one.after} /></div></div>`)}
    ${preview.warnings?.map((one) => html`<p class="bad"><bdi>${one.detail}</bdi></p>`)}
    <p><b>${preview.flip_count === 0 ? t("desk.preview.no_flips") : n("desk.preview.flips", preview.flip_count)}</b></p>
    ${preview.flips.length > 0 && html`<ul class="flips">${preview.flips.slice(0, 20).map((one) => html`<li><${IncidentLink} id=${one.incident_id}><code>${one.incident_id.slice(0, 12)}</code></${IncidentLink}> ${one.from ? term("verdict", one.from) : "–"} → ${one.to ? term("verdict", one.to) : "–"}</li>`)}</ul>`}
  </div>${preview.flips.length > 0 && html`<${FlipMap} preview=${preview} />`}`;
}

// The flips on the map, as they would be judged then. The map's feed has the beginnings of ids.
function FlipMap({ preview }) {
  const [found] = useLoad(async (signal) => {
    const feed = await get("/v1/incidents", spanOf(preview.windows.flatMap((one) => [...one.before, ...one.after])), { signal, headers: { accept: "application/geo+json" } });
    const by = new Map(preview.flips.map((one) => [one.incident_id.slice(0, feed.features[0]?.id.length), one]));
    return feed.features.filter((one) => by.has(one.id)).map((one) => ({ ...one, properties: { ...one.properties, verdict: by.get(one.id).to } }));
  }, [preview]);
  const areas = preview.windows.map((one) => registry.value.truces.get(one.truce)?.area).filter(Boolean);
  return found?.length > 0 && html`<div class="wide"><p class="quiet">${t("desk.preview.map")}</p><${LateMap} small features=${found} areas=${areas} /></div>`;
}

const WindowList = ({ windows }) => windows.length === 0 ? html`<p class="quiet">${t("desk.truce.no_window")}</p>` : html`<${Timeline} windows=${windows} now=${now.value} small label=${t("desk.incident.window")} /><ul class="plain">${windows.map((one) => html`<li>${span(one.from, one.to)}${one.disputed ? ` (${t("console.disputed")})` : ""}</li>`)}</ul>`;

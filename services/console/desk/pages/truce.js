// One truce: its windows in time, by whose words, and what was reported under it.
import { useState } from "preact/hooks";
import { get } from "../api.js";
import { html } from "../html.js";
import { named, t, term, localInput, withOffset } from "../i18n.js";
import { requery, to } from "../router.js";
import { areaName, may, now, partyName } from "../state.js";
import { Empty, Field, Loading, Page, Scroll, Time, useLoad } from "../ui.js";
import { Announce } from "../announce.js";
import { Timeline } from "../timeline.js";
import { Row } from "./live.js";
import { TruceState } from "./truces.js";

export default function TrucePage({ id, query }) {
  const path = `/v1/truces/${encodeURIComponent(id)}`;
  const asOf = query.as_of;
  const [found, problem, again] = useLoad(async (signal) => {
    const given = { as_of: asOf };
    const [truce, windows, incidents] = await Promise.all([
      get(path, given, { signal, fresh: true }),
      get(`${path}/windows`, given, { signal, fresh: true }),
      get("/v1/incidents", { truce: id, order: "-occurred", limit: 100 }, { signal }),
    ]);
    return { truce, windows, incidents };
  }, [id, asOf]);
  if (!found) return html`<${Page} name=${t("desk.filter.truce")}><${Loading} problem=${problem} /></${Page}>`;
  const { truce, windows, incidents } = found;
  const name = named(truce.name);
  return html`<${Page} name=${name} heading=${html`<bdi>${name}</bdi>`}>
    <p class="verdict-line"><${TruceState} windows=${windows} /></p>
    ${asOf && html`<p class="note">${t("desk.truce.as_of")} <${Time} at=${asOf} /> <button type="button" onClick=${() => requery({ as_of: "" })}>${t("desk.truce.as_now")}</button></p>`}
    ${windows.length === 0 ? html`<${Empty}>${t("desk.truce.no_window")}</${Empty}>` : html`<${Timeline} windows=${windows} now=${now.value} label=${name} incidents=${incidents.items} />`}
    ${may() && !asOf && html`<${Announce} truce=${truce} windows=${windows} done=${again} />`}
    <section><h2>${t("desk.truce.announcements")}</h2>
      <ol class="history">${[...truce.announcements].reverse().map((one) => html`<li><div><b><bdi>${partyName(one.issuer)}</bdi></b> ${t(`desk.action.${one.action}`)} <${Time} at=${one.announced_at} /></div>
        ${one.text && html`<q dir="auto">${one.text}</q>`}<p class="quiet">${saidTimes(one)}${one.area ? html` · <bdi>${areaName(one.area)}</bdi>` : ""} <code>${one.id}</code></p></li>`)}</ol></section>
    <section><h2>${t("desk.truce.terms")}</h2><dl class="facts">
      <div><dt>${t("desk.filter.area")}</dt><dd><bdi>${areaName(truce.area)}</bdi></dd></div>
      ${truce.guarantors?.length > 0 && html`<div><dt>${t("desk.truce.guarantors")}</dt><dd>${truce.guarantors.map((one) => html`<span class="part"><bdi>${partyName(one)}</bdi></span>`)}</dd></div>`}
      ${truce.exclusions?.length > 0 && html`<div><dt>${t("desk.truce.exclusions")}</dt><dd>${truce.exclusions.map((one) => html`<span class="part"><bdi>${partyName(one.party || one)}</bdi></span>`)}</dd></div>`}
    </dl>
    <${Scroll} label=${t("desk.truce.duties")}><table><thead><tr><th scope="col">${t("desk.truce.bound")}</th><th scope="col">${t("desk.truce.toward")}</th><th scope="col">${t("desk.truce.acts")}</th></tr></thead><tbody>
      ${truce.duties.map((one) => html`<tr><td>${terms(one.bound)}</td><td>${terms(one.toward)}</td><td>${one.acts.map((name) => (term("act", name) !== name ? term("act", name) : t(`desk.acts.${name}`))).join(t("desk.comma"))}</td></tr>`)}</tbody></table></${Scroll}></section>
    <section><h2>${t("desk.truce.incidents")}</h2>${incidents.items.length === 0 ? html`<${Empty}>${t("desk.live.none")}</${Empty}>` : html`<ol class="rows">${incidents.items.slice(0, 20).map((one) => html`<${Row} key=${one.incident_id} incident=${one} />`)}</ol>`}
      <p><a href=${to("/incidents", { truce: id })}>${t("desk.truce.all_incidents")}</a></p></section>
    <section><h2>${t("desk.truce.recorded")}</h2><${AsOf} value=${asOf} /></section>
  </${Page}>`;
}

const terms = (parties) => (parties === "any" ? t("desk.truce.anybody") : parties.map((one) => html`<span class="part"><bdi>${partyName(one.party || one)}</bdi></span>`));

// The times that an announcement says, as they were said: local to the registry.
const saidTimes = (one) => [one.starts_at && `${t("desk.announce.from")} ${local(one.starts_at)}`, one.ends_at && `${t("desk.announce.until")} ${local(one.ends_at)}`, one.ends_at === null && t("console.open_end"), one.duration].filter(Boolean).join(" · ");
const local = (text) => text.replace("T", " ");

function AsOf({ value }) {
  const [at, setAt] = useState(value ? localInput(value) : "");
  const submit = (event) => {
    event.preventDefault();
    requery({ as_of: at ? withOffset(at) : "" });
  };
  return html`<form class="inline" onSubmit=${submit}><${Field} label=${t("desk.truce.as_of")} hint=${t("desk.truce.as_of_hint")}><input type="datetime-local" value=${at} onInput=${(event) => setAt(event.target.value)} /></${Field}><button>${t("desk.show")}</button></form>`;
}

// Did it arrive, and if not, why: every subscription with its state.
import { useState } from "preact/hooks";
import { act, all } from "../api.js";
import { html } from "../html.js";
import { LANGUAGES, t, term } from "../i18n.js";
import { to } from "../router.js";
import { areaName, me, partyName, registry, truceName } from "../state.js";
import { Chip, Empty, Field, Form, Loading, Page, Pick, Scroll, Time, useLoad } from "../ui.js";
import { CERTAINTIES, SEVERITIES } from "../vocabulary.js";

export default function Subscriptions({ query }) {
  const [found, problem] = useLoad(() => all("/v1/subscriptions"), []);
  const [made, setMade] = useState(null);
  const shown = (found || []).filter((one) => !query.status || one.status === query.status);
  const states = [...new Set((found || []).map((one) => one.status))];
  return html`<${Page} name=${t("desk.nav.deliveries")}>
    ${made ? html`<${Made} made=${made} />` : html`<${New} done=${setMade} />`}
    ${!found ? html`<${Loading} problem=${problem} />` : found.length === 0 ? html`<${Empty}>${t("desk.subscriptions.none")}</${Empty}>` : html`
      <p class="chips">${["", ...states].map((one) => html`<a class=${`chip ${one}`} href=${to("/subscriptions", { status: one })} aria-current=${(query.status || "") === one ? "true" : undefined}>${one ? t(`desk.endpoint.${one}`) : t("desk.filter.any")}</a> `)}</p>
      <${Scroll} label=${t("desk.nav.deliveries")}><table><thead><tr><th scope="col">${t("desk.deliveries.subscription")}</th><th scope="col">${t("desk.deliveries.state")}</th><th scope="col">${t("desk.subscriptions.channel")}</th><th scope="col">${t("desk.filters")}</th><th scope="col">${t("desk.subscriptions.since")}</th></tr></thead>
      <tbody>${shown.map((one) => html`<tr key=${one.id}><th scope="row"><a href=${to(`/subscriptions/${one.id}`)}><bdi>${one.name || one.id}</bdi></a>${me.value.role === "operator" && html`<small class="quiet"><bdi>${one.owner}</bdi></small>`}</th>
        <td><${Chip} kind=${one.status}>${t(`desk.endpoint.${one.status}`)}</${Chip}>${one.status_reason && html`<small><bdi>${one.status_reason}</bdi></small>`}</td>
        <td>${one.channel.type === "email" ? t("desk.channel.email") : t("desk.channel.webhook")} <small class="quiet"><bdi dir="ltr">${one.channel.url || one.channel.to}</bdi></small></td>
        <td>${filterWords(one.filter)}</td><td><${Time} at=${one.created_at} /></td></tr>`)}</tbody></table></${Scroll}>`}
  </${Page}>`;
}

// A filter, in words.
export function filterWords(filter) {
  const parts = [
    ...(filter.truces || []).map(truceName),
    ...(filter.areas || []).map(areaName),
    ...(filter.parties || []).map(partyName),
    ...(filter.acts || []).map((one) => term("act", one)),
    filter.min_severity !== "Minor" && `${t("desk.filter.min_severity")}: ${term("severity", filter.min_severity)}`,
    filter.min_certainty !== "Unlikely" && `${t("desk.filter.min_certainty")}: ${term("certainty", filter.min_certainty)}`,
    filter.bbox && t("desk.filter.bbox"),
  ].filter(Boolean);
  return [parts.length ? parts.join(t("desk.comma")) : t("desk.subscriptions.everything"), (filter.verdicts || []).map((one) => term("verdict", one)).join(t("desk.comma"))].join(" · ");
}

function Made({ made }) {
  return html`<div class="card" role="status"><h2>${t("desk.subscriptions.made")}</h2><p>${t(made.status === "pending" ? "desk.subscriptions.to_prove" : "desk.subscriptions.active")}</p>
    ${made.secret && html`<p>${t("desk.secret_once")}</p><code class="secret">${made.secret}</code>`}<p class="actions"><a href=${to(`/subscriptions/${made.id}`)}>${t("desk.subscriptions.see")}</a></p></div>`;
}

function New({ done }) {
  const [open, setOpen] = useState(false);
  const [type, setType] = useState("webhook");
  if (!open) return html`<p class="actions"><button type="button" class="primary" onClick=${() => setOpen(true)}>${t("desk.subscriptions.new")}</button></p>`;
  const submit = async (event) => {
    const form = new FormData(event.target);
    const one = (name) => (form.get(name) ? [form.get(name)] : []);
    done(await act("POST", "/v1/subscriptions", {
      name: form.get("name"),
      channel: type === "email" ? { type, to: form.get("address") } : { type, url: form.get("address") },
      filter: { truces: one("truce"), areas: one("area"), parties: one("party"), min_severity: form.get("severity"), min_certainty: form.get("certainty"), verdicts: form.get("undetermined") ? ["violation", "undetermined"] : ["violation"] },
      language: form.get("language"),
    }));
  };
  const pick = (map, name) => [["", t("desk.filter.any")], ...[...map.keys()].map((id) => [id, name(id)])];
  return html`<${Form} onSubmit=${submit} class="stack card"><div class="filter-grid">
    <${Field} label=${t("desk.name")}><input name="name" required maxlength="100" dir="auto" /></${Field}>
    <${Field} label=${t("desk.subscriptions.channel")}><select value=${type} onChange=${(event) => setType(event.target.value)}>${["webhook", "email"].map((one) => html`<option value=${one} selected=${one === type}>${one === "email" ? t("desk.channel.email") : t("desk.channel.webhook")}</option>`)}</select></${Field}>
    <${Field} label=${t("desk.subscriptions.address")}><input name="address" type=${type === "email" ? "email" : "url"} required dir="ltr" /></${Field}>
    <${Field} label=${t("desk.language")}><${Pick} name="language" initial=${document.documentElement.lang} options=${Object.entries(LANGUAGES)} /></${Field}>
    <${Field} label=${t("desk.filter.truce")}><${Pick} name="truce" options=${pick(registry.value.truces, truceName)} /></${Field}>
    <${Field} label=${t("desk.filter.area")}><${Pick} name="area" options=${pick(registry.value.areas, areaName)} /></${Field}>
    <${Field} label=${t("desk.filter.party")}><${Pick} name="party" options=${pick(registry.value.parties, partyName)} /></${Field}>
    <${Field} label=${t("desk.filter.min_severity")}><${Pick} name="severity" initial="Minor" options=${SEVERITIES.map((one) => [one, term("severity", one)])} /></${Field}>
    <${Field} label=${t("desk.filter.min_certainty")}><${Pick} name="certainty" initial="Unlikely" options=${CERTAINTIES.filter((one) => one !== "Unknown").map((one) => [one, term("certainty", one)])} /></${Field}></div>
    <label class="check"><input type="checkbox" name="undetermined" /> ${t("desk.subscriptions.undetermined")}</label>
    <div class="actions"><button class="primary">${t("desk.subscriptions.make")}</button><button type="button" onClick=${() => setOpen(false)}>${t("desk.cancel")}</button></div></${Form}>`;
}

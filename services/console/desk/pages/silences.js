// Hold alerts back, with a reason and an end.
import { useState } from "preact/hooks";
import { act, all, get } from "../api.js";
import { html } from "../html.js";
import { length, localInput, n, t, term, withOffset } from "../i18n.js";
import { areaName, me, now, partyName, registry, truceName } from "../state.js";
import { Action, Chip, Empty, Field, Form, Loading, Page, Pick, Scroll, Time, useLoad } from "../ui.js";
import { ACTS, SEVERITIES } from "../vocabulary.js";

const NAMES = ["truce", "area", "party", "act", "verdict", "severity", "certainty", "thread", "incident"];
const WORDS = { truce: truceName, area: areaName, party: partyName, act: (one) => term("act", one), verdict: (one) => term("verdict", one), severity: (one) => term("severity", one), certainty: (one) => term("certainty", one) };

export default function Silences({ query }) {
  const [found, problem, again] = useLoad(() => all("/v1/silences"), []);
  const stateOf = (one) => one.state || (Date.parse(one.ends_at) <= now.value ? "expired" : Date.parse(one.starts_at) > now.value ? "pending" : "active");
  const shown = (found || []).filter((one) => query.all || stateOf(one) !== "expired");
  return html`<${Page} name=${t("desk.nav.silences")}><p>${t(me.value.role === "operator" ? "desk.silences.more" : "desk.silences.own")}</p>
    <${New} query=${query} done=${again} />
    ${!found ? html`<${Loading} problem=${problem} />` : shown.length === 0 ? html`<${Empty}>${t("desk.silences.none")}</${Empty}>` : html`<${Scroll} label=${t("desk.nav.silences")}><table><thead><tr><th scope="col">${t("desk.silences.what")}</th><th scope="col">${t("desk.reason")}</th><th scope="col">${t("desk.deliveries.state")}</th><th scope="col">${t("desk.silences.ends")}</th><th scope="col"><span class="unseen">${t("desk.announce.action")}</span></th></tr></thead><tbody>
      ${shown.map((one) => html`<tr key=${one.id}><th scope="row">${one.matchers.length === 0 ? t("desk.subscriptions.everything") : one.matchers.map((matcher) => html`<${Chip}>${t(`desk.matcher.${matcher.name}`)} ${matcher.is_equal === false ? "≠" : "="} <bdi>${matcher.is_regex ? `/${matcher.value}/` : (WORDS[matcher.name] || String)(matcher.value)}</bdi></${Chip}> `)}</th>
        <td><bdi>${one.reason}</bdi><small class="quiet"><bdi>${one.author || one.owner || ""}</bdi></small></td><td><${Chip} kind=${stateOf(one) === "active" ? "held" : ""}>${t(`desk.silence.${stateOf(one)}`)}</${Chip}></td>
        <td><${Time} at=${one.ends_at} />${stateOf(one) === "active" && html`<small>${t("desk.truce.ends_in", { left: length(Date.parse(one.ends_at) - now.value) })}</small>`}</td>
        <td>${stateOf(one) !== "expired" && html`<${Action} run=${async () => (await act("DELETE", `/v1/silences/${encodeURIComponent(one.id)}`), again())} confirm=${t("desk.silences.sure")}>${t("desk.silences.end")}</${Action}>`}</td></tr>`)}</tbody></table></${Scroll}>`}
  </${Page}>`;
}

function New({ query, done }) {
  const first = NAMES.find((name) => query[name]);
  const [open, setOpen] = useState(Boolean(first));
  const [name, setName] = useState(first || "truce");
  const [value, setValue] = useState(first ? query[first] : "");
  const choices = { truce: [...registry.value.truces.keys()], area: [...registry.value.areas.keys()], party: [...registry.value.parties.keys()], act: ACTS, severity: SEVERITIES, verdict: ["violation", "undetermined"], certainty: ["Observed", "Likely", "Possible", "Unlikely"] }[name];
  const given = value || (choices ? choices[0] : "");
  if (!open) return html`<p class="actions"><button type="button" class="primary" onClick=${() => setOpen(true)}>${t("desk.silences.new")}</button></p>`;
  const submit = async (event) => {
    const form = new FormData(event.target);
    await act("POST", "/v1/silences", { matchers: [{ name, value: given, is_regex: false, is_equal: true }], starts_at: new Date(now.value).toISOString(), ends_at: withOffset(form.get("until")), reason: form.get("reason"), author: me.value.name });
    setOpen(false);
    done();
  };
  return html`<${Form} onSubmit=${submit} class="stack card"><div class="filter-grid">
    <${Field} label=${t("desk.silences.what")}><select value=${name} onChange=${(event) => (setName(event.target.value), setValue(""))}>${NAMES.map((one) => html`<option value=${one} selected=${one === name}>${t(`desk.matcher.${one}`)}</option>`)}</select></${Field}>
    <${Field} label=${t("desk.silences.value")}>${choices ? html`<select value=${given} onChange=${(event) => setValue(event.target.value)}>${choices.map((one) => html`<option value=${one} selected=${one === given}>${(WORDS[name] || String)(one)}</option>`)}</select>` : html`<input value=${value} onInput=${(event) => setValue(event.target.value)} required dir="ltr" />`}</${Field}>
    <${Field} label=${t("desk.announce.until")}><input type="datetime-local" name="until" required value=${localInput(Date.now() + 3600000)} /></${Field}></div>
    <${Held} name=${name} value=${given} />
    <${Field} label=${t("desk.reason")} wide><input name="reason" required maxlength="500" dir="auto" /></${Field}>
    <div class="actions"><button class="primary">${t("desk.silences.make")}</button><button type="button" onClick=${() => setOpen(false)}>${t("desk.cancel")}</button></div></${Form}>`;
}

// How many of the newest incidents it would have held.
function Held({ name, value }) {
  const asked = { truce: { truce: value }, area: { area: value }, party: { party: value }, act: { act: value }, verdict: { verdict: value } }[name];
  const [found] = useLoad(async (signal) => (asked && value ? get("/v1/incidents", { verdict: "violation", ...asked, limit: 100 }, { signal }) : null), [name, value]);
  return found && html`<p class="note" role="status">${n("desk.silences.held", found.items.length)}</p>`;
}

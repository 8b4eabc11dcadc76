// Why a subscription got an alert, or did not: the steps down to the first that held it back.
import { useState } from "preact/hooks";
import { act, all, get } from "../api.js";
import { html } from "../html.js";
import { localInput, n, t, withOffset } from "../i18n.js";
import { go, to } from "../router.js";
import { Chip, Empty, Field, Form, IncidentLink, Loading, Page, Pick, Time, useLoad } from "../ui.js";
import { filterWords } from "./subscriptions.js";

export default function Why({ query }) {
  const [subscriptions, problem] = useLoad(() => all("/v1/subscriptions"), []);
  const submit = async (event) => {
    const form = new FormData(event.target);
    go(to("/why", { alert: form.get("alert").trim(), subscription: form.get("subscription") }));
  };
  const chosen = subscriptions?.find((one) => one.id === query.subscription);
  return html`<${Page} name=${t("desk.nav.why")}><p>${t("desk.why.more")}</p>
    ${!subscriptions ? html`<${Loading} problem=${problem} />` : subscriptions.length === 0 ? html`<${Empty}>${t("desk.subscriptions.none")}</${Empty}>` : html`
    <${Form} key=${`${query.alert}${query.subscription}`} onSubmit=${submit} class="inline card"><${Field} label=${t("desk.why.alert")}><input name="alert" required value=${query.alert || ""} dir="ltr" /></${Field}>
      <${Field} label=${t("desk.deliveries.subscription")}><${Pick} name="subscription" initial=${query.subscription || subscriptions[0].id} options=${subscriptions.map((one) => [one.id, one.name || one.id])} /></${Field}><button class="primary">${t("desk.why.ask")}</button></${Form}>
    ${query.alert && query.subscription && html`<${Trace} key=${`${query.alert}${query.subscription}`} alert=${query.alert} subscription=${query.subscription} filter=${chosen?.filter} />`}
    ${chosen && html`<${Backtest} subscription=${chosen} />`}`}
  </${Page}>`;
}

function Trace({ alert, subscription, filter }) {
  const [trace, problem] = useLoad((signal) => get(`/v1/alerts/${encodeURIComponent(alert)}/trace`, { subscription }, { signal, fresh: true }), [alert, subscription]);
  if (!trace) return html`<${Loading} problem=${problem} />`;
  const failed = trace.steps.find((one) => !one.passed);
  return html`<section><h2>${trace.delivered ? t("desk.why.delivered") : failed ? t("desk.why.stopped", { step: t(`desk.step.${failed.step}`) }) : t("desk.why.under_way")}</h2>
    <ol class="ladder">${trace.steps.map((one) => html`<li class=${one.passed ? "passed" : "failed"}><b>${t(`desk.step.${one.step}`)}</b> <${Chip} kind=${one.passed ? "ok" : "failing"}>${t(one.passed ? "desk.check.passed" : "desk.why.here")}</${Chip}><p><bdi>${one.reason}</bdi></p>
      ${one.step === "match" && filter && html`<p class="quiet">${t("desk.why.filter")}: ${filterWords(filter)}</p>`}</li>`)}</ol>
    ${trace.deliveries.length > 0 && html`<ul class="linked">${trace.deliveries.map((one) => html`<li><${Chip} kind=${one.status}>${t(`desk.delivery.${one.status}`)}</${Chip}> ${t(`desk.message.${one.type}`)} <${Time} at=${one.finished_at || one.created_at} /></li>`)}</ul>`}
    <p><a href=${to(`/subscriptions/${subscription}`)}>${t("desk.subscriptions.see")}</a></p></section>`;
}

// The messages that the subscription would have got.
function Backtest({ subscription }) {
  const [found, setFound] = useState(null);
  const submit = async (event) => {
    const form = new FormData(event.target);
    setFound(await act("POST", `/v1/subscriptions/${encodeURIComponent(subscription.id)}/backtest`, { from: withOffset(form.get("from")), to: withOffset(form.get("to")) }));
  };
  return html`<section><h2>${t("desk.backtest")}</h2><p class="quiet">${t("desk.backtest.more")}</p><${Form} onSubmit=${submit} class="inline">
    <${Field} label=${t("desk.filter.from")}><input type="datetime-local" name="from" required value=${localInput(Date.now() - 7 * 86400000)} /></${Field}><${Field} label=${t("desk.filter.to")}><input type="datetime-local" name="to" required value=${localInput(Date.now())} /></${Field}><button>${t("desk.backtest.run")}</button></${Form}>
    ${found && html`<p role="status"><b>${n("desk.backtest.alerts", found.count)}</b></p><ul class="linked">${found.alerts.slice(0, 50).map((one) => html`<li><${IncidentLink} id=${one.incident_id}><bdi>${one.headline}</bdi></${IncidentLink}></li>`)}</ul>`}</section>`;
}

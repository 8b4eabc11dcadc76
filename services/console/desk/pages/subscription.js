// One subscription: every message, every attempt with its answer, and what can be done about it.
import { useState } from "preact/hooks";
import { act, get } from "../api.js";
import { html } from "../html.js";
import { localInput, n, number, t, withOffset } from "../i18n.js";
import { go, requery, to } from "../router.js";
import { now } from "../state.js";
import { Action, Chip, Empty, Field, Form, Loading, Page, Select, Time, useLoad } from "../ui.js";
import { filterWords } from "./subscriptions.js";

const STATES = ["pending", "held", "delivered", "failed", "dropped"];

export default function Subscription({ id, query }) {
  const path = `/v1/subscriptions/${encodeURIComponent(id)}`;
  const [one, problem, again] = useLoad((signal) => get(path, {}, { signal, fresh: true }), [id, Math.floor(now.value / 5000)]);
  const [secret, setSecret] = useState(null);
  const [told, setTold] = useState("");
  if (!one) return html`<${Page} name=${t("desk.deliveries.subscription")}><${Loading} problem=${problem} /></${Page}>`;
  const name = one.name || one.id;
  const run = (method, end, said) => async () => {
    const answer = await act(method, `${path}${end}`, undefined);
    setTold(said);
    again();
    return answer;
  };
  const ended = one.status === "ended" || one.status === "gone";
  return html`<${Page} name=${name} heading=${html`<bdi>${name}</bdi>`}>
    <p class="verdict-line"><${Chip} kind=${one.status}>${t(`desk.endpoint.${one.status}`)}</${Chip}>${one.status_reason && html` <bdi>${one.status_reason}</bdi>`}</p>
    <dl class="facts">
      <div><dt>${t("desk.subscriptions.channel")}</dt><dd>${one.channel.type === "email" ? t("desk.channel.email") : t("desk.channel.webhook")} <small><bdi dir="ltr">${one.channel.url || one.channel.to}</bdi></small></dd></div>
      <div><dt>${t("desk.filters")}</dt><dd>${filterWords(one.filter)}</dd></div>
      <div><dt>${t("desk.subscriptions.owner")}</dt><dd><bdi>${one.owner}</bdi></dd></div>
      <div><dt>${t("desk.subscriptions.proved")}</dt><dd><${Time} at=${one.proved_at} /></dd></div>
      ${one.failing_since && html`<div><dt>${t("desk.subscriptions.failing_since")}</dt><dd><${Time} at=${one.failing_since} /></dd></div>`}
    </dl>
    ${!ended && html`<div class="actions">
      <${Action} run=${run("POST", "/test", t("desk.subscriptions.test_queued"))}>${t("desk.subscriptions.test")}</${Action}>
      ${one.status === "pending" && html`<${Action} run=${run("POST", "/verify", t("desk.subscriptions.verify_sent"))}>${t("desk.subscriptions.verify")}</${Action}>`}
      ${one.channel.type === "webhook" && html`<${Action} run=${async () => setSecret((await act("POST", `${path}/rotate-secret`)).secret)} confirm=${t("desk.subscriptions.rotate_sure")}>${t("desk.subscriptions.rotate")}</${Action}>`}
      <a class="button" href=${to("/why", { subscription: id })}>${t("desk.incident.why_not")}</a>
      <${Action} run=${async () => (await act("DELETE", path), go(to("/subscriptions")))} confirm=${t("desk.subscriptions.end_sure")}>${t("desk.subscriptions.end")}</${Action}></div>`}
    ${told && html`<p class="note" role="status">${told}</p>`}
    ${secret && html`<div class="card" role="status"><p>${t("desk.secret_once")}</p><code class="secret">${secret}</code></div>`}
    ${!ended && html`<${Recover} path=${path} done=${(count) => (setTold(n("desk.subscriptions.recovered", count)), again())} />`}
    <${Messages} path=${path} query=${query} />
  </${Page}>`;
}

function Recover({ path, done }) {
  const submit = async (event) => {
    const answer = await act("POST", `${path}/recover`, { since: withOffset(new FormData(event.target).get("since")) });
    done(answer.count ?? answer.queued ?? answer.recovered ?? 0);
  };
  return html`<details class="filters"><summary>${t("desk.subscriptions.recover")}</summary><${Form} onSubmit=${submit} class="inline"><${Field} label=${t("desk.subscriptions.recover_since")}><input type="datetime-local" name="since" required value=${localInput(Date.now() - 86400000)} /></${Field}><button>${t("desk.subscriptions.recover_now")}</button></${Form}></details>`;
}

function Messages({ path, query }) {
  const [found, problem, again] = useLoad((signal) => get(`${path}/deliveries`, { status: query.status, after: query.after, limit: 50 }, { signal, fresh: true }), [path, query.status, query.after, Math.floor(now.value / 5000)]);
  return html`<section><h2>${t("desk.subscriptions.messages")}</h2>
    <div class="filter-grid"><${Field} label=${t("desk.deliveries.state")}><${Select} value=${query.status || ""} options=${[["", t("desk.filter.any")], ...STATES.map((one) => [one, t(`desk.delivery.${one}`)])]} onChange=${(value) => requery({ status: value, after: "" })} /></${Field}></div>
    ${!found ? html`<${Loading} problem=${problem} />` : found.items.length === 0 ? html`<${Empty}>${t("desk.subscriptions.no_message")}</${Empty}>` : html`<ul class="plain">${found.items.map((one) => html`<li class="card" key=${one.id}>
      <p class="verdict-line"><${Chip} kind=${one.status}>${t(`desk.delivery.${one.status}`)}</${Chip}> <b>${t(`desk.message.${one.type}`)}</b> <${Time} at=${one.created_at} /></p>
      ${one.alert_id && html`<p><a href=${to("/why", { alert: one.alert_id, subscription: path.split("/").pop() })}>${t("desk.subscriptions.trace")}</a></p>`}
      ${one.next_attempt_at && html`<p class="quiet">${t("desk.subscriptions.next_attempt")} <${Time} at=${one.next_attempt_at} /></p>`}
      ${one.attempts.length > 0 && html`<details><summary>${n("desk.deliveries.attempts", one.attempts.length)}</summary><ol class="linked">${one.attempts.map((attempt) => html`<li><${Time} at=${attempt.at} /> <b>${attempt.status || ""}</b> <bdi>${attempt.reason}</bdi> <small class="quiet">${t("desk.subscriptions.took", { ms: number(Math.round(attempt.latency_ms || 0)) })}</small>${attempt.answer && html`<pre dir="ltr">${attempt.answer}</pre>`}</li>`)}</ol></details>`}
      ${["failed", "delivered", "dropped"].includes(one.status) && html`<p class="actions"><${Action} run=${async () => (await act("POST", `${path}/deliveries/${encodeURIComponent(one.id)}/resend`), again())}>${t("desk.subscriptions.resend")}</${Action}></p>`}
    </li>`)}</ul>${found.has_more && html`<p><a href=${to(path.replace("/v1", ""), { ...query, after: found.next })}>${t("desk.live.older")}</a></p>`}`}
  </section>`;
}

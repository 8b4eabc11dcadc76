// Running it: keys, what operators did, what was given up on, judging again.
import { useState } from "preact/hooks";
import { act, all, get } from "../api.js";
import { html } from "../html.js";
import { number, t, withOffset } from "../i18n.js";
import { to } from "../router.js";
import { me } from "../state.js";
import { Action, Chip, Empty, Field, Form, Loading, Page, Pick, Scroll, Time, useLoad } from "../ui.js";

const PARTS = { keys: Keys, audit: Audit, dead: DeadLetters, again: Reassessments };

export default function Admin({ query }) {
  const part = query.part in PARTS ? query.part : "keys";
  return html`<${Page} name=${t("desk.nav.admin")}><p class="chips">${Object.keys(PARTS).map((one) => html`<a class="chip" href=${to("/admin", { part: one })} aria-current=${one === part ? "true" : undefined}>${t(`desk.admin.${one}`)}</a> `)}</p><${PARTS[part]} query=${query} /></${Page}>`;
}

function Keys() {
  const [found, problem, again] = useLoad(() => all("/v1/keys"), []);
  const [made, setMade] = useState(null);
  const submit = async (event) => {
    const form = new FormData(event.target);
    const target = event.target;
    setMade(await act("POST", "/v1/keys", { name: form.get("name").trim(), role: form.get("role"), expires_at: form.get("until") ? withOffset(form.get("until")) : null }));
    target.reset();
    again();
  };
  return html`<section><h2>${t("desk.admin.new_key")}</h2><${Form} onSubmit=${submit} class="inline"><${Field} label=${t("desk.name")}><input name="name" required maxlength="100" dir="auto" /></${Field}><${Field} label=${t("desk.admin.role")}><${Pick} name="role" initial="partner" options=${["partner", "monitor", "operator"].map((one) => [one, t(`desk.role.${one}`)])} /></${Field}><${Field} label=${t("desk.admin.expires")}><input type="datetime-local" name="until" /></${Field}><button class="primary">${t("desk.admin.make")}</button></${Form}>
    ${made && html`<div class="card" role="status"><p><bdi>${made.name}</bdi>: ${t("desk.secret_once")}</p><code class="secret">${made.key}</code></div>`}</section>
    ${!found ? html`<${Loading} problem=${problem} />` : html`<${Scroll} label=${t("desk.admin.keys")}><table><thead><tr><th scope="col">${t("desk.name")}</th><th scope="col">${t("desk.admin.role")}</th><th scope="col">${t("desk.admin.made")}</th><th scope="col">${t("desk.admin.expires")}</th><th scope="col"><span class="unseen">${t("desk.announce.action")}</span></th></tr></thead><tbody>
    ${found.map((one) => html`<tr key=${one.id}><th scope="row"><bdi>${one.name}</bdi><small><code>${one.id}</code></small></th><td>${t(`desk.role.${one.role}`)}</td><td><${Time} at=${one.created_at} /></td><td>${one.revoked_at ? html`<${Chip} kind="revoked">${t("desk.admin.revoked")}</${Chip}> <${Time} at=${one.revoked_at} />` : html`<${Time} at=${one.expires_at} />`}</td>
      <td>${!one.revoked_at && one.id !== me.value.id && html`<${Action} run=${async () => (await act("DELETE", `/v1/keys/${encodeURIComponent(one.id)}`), again())} confirm=${t("desk.admin.revoke_sure")}>${t("desk.admin.revoke")}</${Action}>`}</td></tr>`)}</tbody></table></${Scroll}>`}`;
}

function Audit({ query }) {
  const [found, problem] = useLoad((signal) => get("/v1/audit", { limit: 50, after: query.after }, { signal, fresh: true }), [query.after]);
  if (!found) return html`<${Loading} problem=${problem} />`;
  return html`<${Scroll} label=${t("desk.admin.audit")}><table><thead><tr><th scope="col">${t("desk.deliveries.when")}</th><th scope="col">${t("desk.admin.who")}</th><th scope="col">${t("desk.admin.did")}</th><th scope="col">${t("desk.admin.what")}</th><th scope="col">${t("desk.reason")}</th></tr></thead><tbody>
    ${found.items.map((one) => html`<tr key=${one.id}><td><${Time} at=${one.at} /></td><td><bdi>${one.actor.name}</bdi></td><td><code>${one.action}</code></td><td><code>${one.resource}</code></td><td><bdi>${one.detail?.reason || ""}</bdi></td></tr>`)}</tbody></table></${Scroll}>
    ${found.has_more && html`<p><a href=${to("/admin", { part: "audit", after: found.next })}>${t("desk.live.older")}</a></p>`}`;
}

function DeadLetters() {
  const [found, problem, again] = useLoad(() => all("/v1/dead-letters", {}, 500), []);
  if (!found) return html`<${Loading} problem=${problem} />`;
  if (found.length === 0) return html`<${Empty}>${t("desk.admin.no_dead")}</${Empty}>`;
  return html`<${Scroll} label=${t("desk.admin.dead")}><table><thead><tr><th scope="col">${t("desk.deliveries.when")}</th><th scope="col">${t("desk.admin.topic")}</th><th scope="col">${t("desk.reason")}</th><th scope="col"><span class="unseen">${t("desk.announce.action")}</span></th></tr></thead><tbody>
    ${found.map((one) => html`<tr key=${one.id}><td><${Time} at=${one.died_at} /></td><td><code>${one.topic}</code><small><code>${one.consumer}</code></small></td><td><bdi>${one.reason || one.error || ""}</bdi></td><td><${Action} run=${async () => (await act("POST", `/v1/dead-letters/${encodeURIComponent(one.id)}/retry`), again())}>${t("desk.admin.retry")}</${Action}></td></tr>`)}</tbody></table></${Scroll}>`;
}

function Reassessments() {
  const [found, problem, again] = useLoad((signal) => get("/v1/reassessments", { limit: 50 }, { signal, fresh: true }), []);
  if (!found) return html`<${Loading} problem=${problem} />`;
  if (found.items.length === 0) return html`<${Empty}>${t("desk.admin.no_again")}</${Empty}>`;
  return html`<${Scroll} label=${t("desk.admin.again")}><table><thead><tr><th scope="col">${t("desk.deliveries.when")}</th><th scope="col">${t("desk.admin.who")}</th><th scope="col">${t("desk.deliveries.state")}</th><th scope="col">${t("desk.admin.flips")}</th><th scope="col"><span class="unseen">${t("desk.announce.action")}</span></th></tr></thead><tbody>
    ${found.items.map((one) => html`<tr key=${one.id}><td><${Time} at=${one.started_at} /></td><td><bdi>${one.cause.by?.name || "–"}</bdi><small><bdi>${one.cause.reason || one.cause.resources.join(t("desk.comma"))}</bdi></small></td><td>${t(`desk.again.${one.state}`)} <small>${number(one.done)} / ${number(one.candidates)}</small></td><td>${number(one.flips)}</td>
      <td>${one.state === "running" && html`<${Action} run=${async () => (await act("POST", `/v1/reassessments/${encodeURIComponent(one.id)}/stop`), again())}>${t("desk.admin.stop")}</${Action}>`}${one.state === "stopped" && html`<${Action} run=${async () => (await act("POST", `/v1/reassessments/${encodeURIComponent(one.id)}/resume`), again())}>${t("desk.admin.resume")}</${Action}>`}</td></tr>`)}</tbody></table></${Scroll}>`;
}

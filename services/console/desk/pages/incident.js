// Everything of one incident on one page: why it is judged so, what changed, who was told.
import { useState } from "preact/hooks";
import { act, all, get, send } from "../api.js";
import { changesOf } from "../changes.js";
import { html } from "../html.js";
import LateMap, { MapButton, useShown } from "../late_map.js";
import { capital, knows, number, percent, t, n, term } from "../i18n.js";
import { to } from "../router.js";
import { areaName, may, me, registry, truceName } from "../state.js";
import { Action, Chip, Empty, Field, Form, IncidentLink, Loading, Page, Parties, Refusal, Scroll, Span, Time, Verdict, placeWords, useLoad } from "../ui.js";

const MOST_LINKS = 10;

export default function Incident({ id }) {
  const path = `/v1/incidents/${encodeURIComponent(id)}`;
  const [incident, problem, again] = useLoad((signal) => get(path, {}, { signal, fresh: true }), [id]);
  const [assessments, unread] = useLoad(() => all(`${path}/assessments`, {}, 200), [id, incident?.revision, incident?.assessment?.assessed_at]);
  if (!incident) return html`<${Page} name=${t("desk.incident")}><${Loading} problem=${problem} /></${Page}>`;
  const { report, assessment } = incident;
  const own = me.value.role === "partner" || me.value.role === "operator";
  const name = `${capital(term("act", report.act))}${t("desk.comma")}${whereOf(report, assessment)}`;
  return html`<${Page} name=${name} heading=${html`<bdi>${name}</bdi>`}>
    <p class="verdict-line"><${Verdict} of=${incident.verdict} />
      ${incident.verdict === "violation" && incident.certainty && html`<${Chip}>${t("desk.filter.certainty")}: ${term("certainty", incident.certainty)}</${Chip}>`}
      ${incident.severity && html`<${Chip} kind=${`severity ${incident.severity}`}>${t("field.severity")}: ${term("severity", incident.severity)}</${Chip}>`}
      ${incident.state !== "assessed" && html`<${Chip} kind="warn">${t(`desk.state.${incident.state}`)}</${Chip}>`}
      ${assessment?.rules && html`<${Chip} kind="warn">${t("desk.incident.decided", { verdict: term("verdict", assessment.rules.verdict) })}</${Chip}>`}
    </p>
    <${Where} incident=${incident}><${Facts} incident=${incident} /></${Where}>
    ${(may() || own) && html`<p class="actions">
      ${may() && html`<a class="button" href=${to("/review", { incident: id })}>${t("desk.incident.review")}</a>`}
      ${may() && html`<a class="button" href=${to("/silences", { incident: id })}>${t("desk.incident.silence")}</a>`}
      ${own && incident.partner === me.value.name && html`<a class="button" href=${to("/report", { correct: id })}>${t("desk.incident.correct")}</a>`}
    </p>`}
    <${Why} id=${id} revision=${incident.revision} version=${assessment?.assessed_at} />
    <${Changes} incident=${incident} assessments=${assessments} problem=${unread} />
    ${may("monitor") && assessments && html`<${Alerts} id=${id} assessments=${assessments} />`}
    <${Links} links=${assessment?.links || []} />
    ${(me.value.role === "operator" || incident.partner === me.value.name) && incident.state !== "retracted" && html`<${Retract} path=${path} done=${again} />`}
    <p class="actions"><${Save} path=${path} name=${`${id}.json`}>JSON</${Save}></p>
  </${Page}>`;
}

export const whereOf = (report, assessment) => {
  const place = report.location || {};
  return place.place || assessment?.place?.name || (place.area ? areaName(place.area) : placeWords(place));
};

// A document of the API as a file: a plain link would carry no key.
function Save({ path, name, accept, children }) {
  const save = async () => {
    const answer = await send(path, accept ? { headers: { accept } } : {});
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await answer.blob()), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  return html`<${Action} run=${save}>${children}</${Action}>`;
}

// The facts beside a small map of the place and of the areas of the truces that were found to apply.
function Where({ incident, children }) {
  const [shown, turn] = useShown();
  const { assessment } = incident;
  const place = assessment?.place;
  const areas = [...new Set([place?.area, ...(assessment?.findings || []).filter((one) => one.outcome !== "not_covered").map((one) => registry.value.truces.get(one.truce)?.area)].filter(Boolean))];
  const features = place && typeof place.lat === "number" ? [{ id: incident.incident_id, geometry: { type: "Point", coordinates: [place.lon, place.lat] }, properties: { verdict: incident.verdict, act: incident.report.act, radius: place.radius_km } }] : [];
  if (features.length === 0 && areas.length === 0) return children;
  return html`<div class=${`beside ${shown ? "with-map" : ""}`}>${children}<div class="map-side"><p class="actions"><${MapButton} shown=${shown} turn=${turn} /></p>
    ${shown && html`<${LateMap} small features=${features} areas=${areas} />`}</div></div>`;
}

const fact = (name, value) => value !== undefined && value !== null && value !== false && value !== "" && html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

function Facts({ incident }) {
  const { report, assessment } = incident;
  const place = report.location || {};
  const source = report.source;
  const casualties = ["killed", "injured"].filter((kind) => report.casualties?.[kind] !== undefined && report.casualties?.[kind] !== null);
  return html`<dl class="facts">
    ${fact(t("field.occurred"), html`<${Span} from=${incident.occurred.from} until=${incident.occurred.to} />`)}
    ${fact(t("field.place"), html`<bdi>${whereOf(report, assessment)}</bdi>${place.area && html` <small>${t("desk.filter.area")}: <bdi>${areaName(place.area)}</bdi></small>`}
      ${assessment?.place && typeof assessment.place.lat === "number" && html` <small class="quiet"><bdi dir="ltr">${assessment.place.lat}, ${assessment.place.lon}</bdi>, ${t("desk.incident.radius", { km: number(assessment.place.radius_km) })}</small>`}`)}
    ${fact(t("field.perpetrators"), html`<${Parties} of=${assessment?.perpetrators || report.perpetrators} />`)}
    ${fact(t("field.targets"), html`<${Parties} of=${assessment?.targets || report.targets} />`)}
    ${casualties.length > 0 && fact(t("field.casualties"), casualties.map((kind) => n(kind, report.casualties[kind])).join(t("desk.comma")))}
    ${source && fact(t("field.source"), html`<bdi>${source.name}</bdi>${source.grade && html` <small>${source.grade}: ${gradeWords(source.grade)}</small>`}${safeUrl(source.url) && html` <a href=${source.url} rel="noreferrer noopener" target="_blank">${t("desk.incident.source_link")}</a>`}`)}
    ${source?.terms && fact(t("desk.incident.terms"), t(`desk.incident.${source.terms}`))}
    ${report.description && fact(t("desk.incident.description"), html`<span class="told" dir="auto">${report.description}</span>`)}
    ${report.claims?.length > 0 && fact(t("desk.incident.claims"), report.claims.map((one) => t(`desk.claim.${one}`)).join(t("desk.comma")))}
    ${report.sites?.length > 0 && fact(t("desk.incident.sites"), report.sites.map((one) => t(`desk.site.${one}`)).join(t("desk.comma")))}
    ${report.evidence?.length > 0 && fact(t("desk.incident.evidence"), html`<ul class="plain">${report.evidence.map((one) => html`<li><${Evidence} of=${one} /></li>`)}</ul>`)}
    ${report.aggregate && fact(t("field.aggregate"), t("desk.incident.aggregate"))}
    ${fact(t("desk.incident.reported"), html`<bdi>${incident.partner}</bdi>, <${Time} at=${incident.received_at} />`)}
    ${fact(t("desk.incident.ids"), html`<code>${incident.external_id}</code> <code>${incident.incident_id}</code>`)}
  </dl>`;
}

const safeUrl = (url) => typeof url === "string" && /^https?:\/\//i.test(url);

function Evidence({ of }) {
  const url = typeof of === "string" ? of : of.url;
  const text = (typeof of === "object" && (of.description || of.title || of.type)) || url || JSON.stringify(of);
  return safeUrl(url) ? html`<a href=${url} rel="noreferrer noopener" target="_blank"><bdi>${text}</bdi></a>` : html`<bdi>${text}</bdi>`;
}

const gradeWords = (grade) => `${t(`desk.grade.${grade[0]}`)}${t("desk.comma")}${t(`desk.grade.${grade[1]}`)}`;

// A row a truce: outcome, window, ground, parties, reasons in their order, the deciding one marked.
function Why({ id, revision, version }) {
  const [found, problem] = useLoad(async (signal) => (version ? get(`/v1/incidents/${encodeURIComponent(id)}/explain`, {}, { signal, fresh: true }) : null), [id, revision, version]);
  if (!version) return html`<section><h2>${t("desk.incident.why")}</h2><${Empty}>${t("desk.incident.not_judged")}</${Empty}></section>`;
  return html`<section><h2>${t("desk.incident.why")}</h2>
    ${!found ? html`<${Loading} problem=${problem} />` : html`
      ${found.reasons.length > 0 && html`<ul class="reasons">${found.reasons.map((one) => html`<li><bdi>${one.text}</bdi></li>`)}</ul>`}
      ${found.truces.length === 0 ? html`<${Empty}>${t("desk.incident.no_truce")}</${Empty}>` : html`<${Scroll} label=${t("desk.incident.why")}><table class="verdicts">
        <thead><tr><th scope="col">${t("desk.filter.truce")}</th><th scope="col">${t("field.verdict")}</th><th scope="col">${t("field.reasons")}</th><th scope="col">${t("desk.incident.window")}</th></tr></thead>
        <tbody>${found.truces.map((one) => html`<${Finding} key=${one.truce} finding=${one} />`)}</tbody>
      </table></${Scroll}>`}`}
  </section>`;
}

function Finding({ finding }) {
  const deciding = finding.checks.find((one) => one.check === finding.decided_by);
  const told = finding.checks.filter((one) => one.reasons.length > 0);
  return html`<tr>
    <th scope="row"><a href=${to(`/truces/${finding.truce}`)}><bdi>${finding.name}</bdi></a></th>
    <td><${Verdict} of=${finding.outcome} />${finding.outcome === "violation" && finding.certainty && html`<small>${term("certainty", finding.certainty)}</small>`}</td>
    <td><ol class="reasons">${told.flatMap((check) => check.reasons.map((reason, at) => html`<li class=${check === deciding ? "deciding" : ""}><bdi>${reason.text}</bdi>${check === deciding && at === 0 && html` <${Chip} kind="decided">${t("desk.incident.decided_this")}</${Chip}>`}</li>`))}
      ${deciding && deciding.reasons.length === 0 && html`<li class="deciding"><bdi>${deciding.title}</bdi> <${Chip} kind="decided">${t("desk.incident.decided_this")}</${Chip}></li>`}</ol>
      <details><summary>${t("desk.incident.checks")}</summary><ol class="checks">${finding.checks.map((one) => html`<li class=${one.result}><span class="mark" aria-hidden="true"></span><bdi>${one.title}</bdi> <small>${t(`desk.check.${one.result}`)}</small></li>`)}</ol>
        <dl class="facts small">
          ${finding.areas.length > 0 && fact(t("desk.filter.area"), finding.areas.map((one) => html`<span class="part"><bdi>${one.name}</bdi> <small>${t("desk.incident.share", { share: percent(one.share) })}</small></span>`))}
          ${finding.perpetrators.length > 0 && fact(t("field.perpetrators"), html`<${Judged} of=${finding.perpetrators} />`)}
          ${finding.targets.length > 0 && fact(t("field.targets"), html`<${Judged} of=${finding.targets} />`)}
        </dl>
        ${finding.announcements.length > 0 && html`<ul class="words">${finding.announcements.map((one) => html`<li><b><bdi>${one.issuer_name}</bdi></b> <small>${t(`desk.action.${one.action}`)}, <${Time} at=${one.announced_at} short /></small>${one.text && html`<q dir="auto">${one.text}</q>`}</li>`)}</ul>`}
      </details></td>
    <td>${finding.window ? html`<${Span} from=${finding.window.from} until=${finding.window.to} />${finding.window.disputed && html` <${Chip} kind="warn">${t("console.disputed")}</${Chip}>`}<small class="quiet"><bdi>${areaName(finding.window.area)}</bdi></small>` : "–"}</td>
  </tr>`;
}

const Judged = ({ of }) => of.map((one) => html`<span class="part"><bdi>${one.reported}</bdi> <small>${one.name ? html`<bdi>${one.name}</bdi>` : t("desk.incident.unresolved")}${one.excluded && html` · ${t("desk.incident.excluded_party")}`}</small></span>`);

// Revisions of the report and what became of them, in words.
function Changes({ incident, assessments, problem }) {
  const reports = incident.revisions.map((one, at) => ({ at: one.received_at, name: t("desk.incident.revision", { number: number(one.revision) }), note: one.retracted ? t("desk.incident.retracted_because", { reason: typeof one.retracted === "string" ? one.retracted : one.retracted.reason || "" }) : "", changes: at > 0 ? changesOf(incident.revisions[at - 1].report, one.report) : null }));
  const judged = (assessments || []).map((one, at, list) => ({ at: one.assessed_at, name: html`<${Verdict} of=${one.verdict} plain />`, note: causeWords(one.cause), changes: list[at + 1] ? changesOf(judgement(list[at + 1]), judgement(one)) : null }));
  const entries = [...reports, ...judged].sort((a, b) => b.at.localeCompare(a.at));
  return html`<section><h2>${t("desk.incident.history")}</h2>
    ${!assessments && problem && html`<${Refusal} problem=${problem} />`}
    <ol class="history">${entries.map((one) => html`<li><div><b>${one.name}</b> <${Time} at=${one.at} /></div>
      ${one.note && html`<p class="quiet"><bdi>${one.note}</bdi></p>`}
      ${one.changes && (one.changes.length ? html`<ul class="changes">${one.changes.map((change) => html`<li>${change.field}: <del><bdi>${change.before}</bdi></del> → <ins><bdi>${change.after}</bdi></ins></li>`)}</ul>` : html`<p class="quiet">${t("desk.incident.no_change")}</p>`)}
    </li>`)}</ol></section>`;
}

const judgement = (one) => ({ verdict: one.verdict, certainty: one.certainty, severity: one.severity, act: one.act, occurred: one.occurred, place: one.place && { ...one.place }, perpetrators: one.perpetrators.map((party) => party.party || party.reported), targets: one.targets.map((party) => party.party || party.reported), truces: one.findings.filter((finding) => finding.outcome === one.verdict).map((finding) => finding.truce) });

export const causeWords = (cause) => {
  if (!cause) return "";
  const parts = [t(`desk.cause.${cause.kind}`), cause.by && cause.by.name, cause.reason && `“${cause.reason}”`];
  return parts.filter(Boolean).join(" · ");
};

const SOON_MS = 2000;
// Whether an alert may have been raised: to ask for one that never was would be an error.
const alerted = (assessments) => assessments.some((one) => one.verdict === "violation" || (one.verdict === "undetermined" && !one.aggregate));

// The alerts that were raised of it, and every message that told of them.
function Alerts({ id, assessments }) {
  const version = assessments[0]?.assessed_at;
  const [found, problem] = useLoad(async (signal) => {
    if (!alerted(assessments)) return { alerts: [] };
    // One that was judged just now is on its way.
    await new Promise((done) => setTimeout(done, Math.max(0, Date.parse(version) + SOON_MS - Date.now())));
    const named = await get("/v1/lookup", { id }, { signal }).catch((error) => {
      if (error.status === 404) return { alerts: [] };
      throw error;
    });
    const subscriptions = new Map((await all("/v1/subscriptions")).map((one) => [one.id, one]));
    const alerts = await Promise.all(named.alerts.map(async (alert) => {
      const ids = [...new Set(alert.deliveries.map((one) => one.subscription_id))].filter((one) => subscriptions.has(one));
      const messages = await Promise.all(ids.map((one) => get(`/v1/subscriptions/${one}/deliveries`, { alert: alert.id, limit: 100 }, { signal }).then((page) => page.items.map((message) => ({ ...message, subscription: subscriptions.get(one) })))));
      return { ...alert, latest: await get(`/v1/alerts/${alert.id}`, {}, { signal }), messages: messages.flat().sort((a, b) => a.created_at.localeCompare(b.created_at)) };
    }));
    return { alerts, subscriptions };
  }, [id, version]);
  return html`<section><h2>${t("desk.incident.alerts")}</h2>
    ${!found ? html`<${Loading} problem=${problem} />` : found.alerts.length === 0 ? html`<${Empty}>${t("desk.incident.no_alert")}</${Empty}>` : found.alerts.map((alert) => html`<div class="card" key=${alert.id}>
      <p><b><bdi>${alert.latest.headline}</bdi></b></p>
      <ol class="steps">${alert.revisions.map((one) => html`<li><${Chip} kind=${one.status}>${term("status", one.status)}</${Chip}> <small>${t("desk.incident.revision", { number: number(one.revision) })}</small></li>`)}</ol>
      ${alert.latest.changes.length > 0 && html`<ul class="changes">${alert.latest.changes.map((one) => html`<li>${knows(`field.${one.field}`) ? t(`field.${one.field}`) : one.field}: <del><bdi>${valueWords(one.before, one.field)}</bdi></del> → <ins><bdi>${valueWords(one.after, one.field)}</bdi></ins></li>`)}</ul>`}
      ${alert.messages.length === 0 ? html`<p class="quiet">${t("desk.incident.nobody_told")}</p>` : html`<${Scroll} label=${t("desk.incident.told")}><table><thead><tr><th scope="col">${t("desk.deliveries.subscription")}</th><th scope="col">${t("desk.deliveries.message")}</th><th scope="col">${t("desk.deliveries.state")}</th><th scope="col">${t("desk.deliveries.when")}</th></tr></thead>
        <tbody>${alert.messages.map((one) => html`<tr><th scope="row"><a href=${to(`/subscriptions/${one.subscription.id}`)}><bdi>${one.subscription.name}</bdi></a> <small>${one.subscription.channel.type === "email" ? t("desk.channel.email") : t("desk.channel.webhook")}</small></th><td>${t(`desk.message.${one.type}`)}</td><td><${Chip} kind=${one.status}>${t(`desk.delivery.${one.status}`)}</${Chip}> <small>${n("desk.deliveries.attempts", one.attempts.length)}</small></td><td><${Time} at=${one.finished_at || one.created_at} /></td></tr>`)}</tbody></table></${Scroll}>`}
      ${found.subscriptions.size > 0 && html`<p><a href=${to("/why", { alert: alert.id })}>${t("desk.incident.why_not")}</a></p>`}
      <p class="actions"><${Save} path=${`/v1/alerts/${alert.id}`} name=${`${alert.id}.json`}>JSON</${Save}> <${Save} path=${`/v1/alerts/${alert.id}`} name=${`${alert.id}.xml`} accept="application/cap+xml">CAP</${Save}></p>
    </div>`)}
  </section>`;
}

const valueWords = (value, field) => {
  const shown = changesOf({}, { [field]: value })[0];
  return shown ? shown.after : t("desk.nothing");
};

function Links({ links }) {
  const [found, problem] = useLoad((signal) => Promise.all(links.slice(0, MOST_LINKS).map((one) => get(`/v1/incidents/${encodeURIComponent(one.incident_id)}`, {}, { signal }).then((incident) => ({ ...one, incident }), () => one))), [JSON.stringify(links)]);
  if (links.length === 0) return null;
  return html`<section><h2>${t("desk.incident.links")}</h2>${!found ? html`<${Loading} problem=${problem} />` : html`<ul class="linked">${found.map((one) => html`<li>
    <${IncidentLink} id=${one.incident_id}><bdi>${one.incident ? `${capital(term("act", one.incident.report.act))}, ${whereOf(one.incident.report)}` : one.incident_id}</bdi></${IncidentLink}>
    <small class="quiet">${one.incident?.report.source && html`<bdi>${one.incident.report.source.name}</bdi> · `}${t("desk.incident.alike", { share: percent(one.score) })}${one.contested ? ` · ${t("desk.incident.contested")}` : ""}${one.state ? ` · ${t(`desk.link.${one.state}`)}` : ""}</small></li>`)}</ul>`}</section>`;
}

function Retract({ path, done }) {
  const [open, setOpen] = useState(false);
  const submit = async (event) => {
    await act("POST", `${path}/retraction`, { reason: new FormData(event.target).get("reason") });
    setOpen(false);
    done();
  };
  if (!open) return html`<p class="actions"><button type="button" onClick=${() => setOpen(true)}>${t("desk.incident.retract")}</button></p>`;
  return html`<${Form} onSubmit=${submit} class="stack card"><${Field} label=${t("desk.reason")} wide><input name="reason" required maxlength="1000" /></${Field}><div class="actions"><button class="danger">${t("desk.incident.retract")}</button> <button type="button" onClick=${() => setOpen(false)}>${t("desk.cancel")}</button></div></${Form}>`;
}

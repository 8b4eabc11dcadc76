// The registry, by which reports are judged: one resource at a time, as a form or as text; always previewed, then confirmed.
import { useState } from "preact/hooks";
import { act, all, get, send } from "../api.js";
import { changesOf } from "../changes.js";
import { html } from "../html.js";
import { capital, knows, named, number, t } from "../i18n.js";
import { go, requery, to } from "../router.js";
import { areaName, may, partyName, readRegistry } from "../state.js";
import { Preview } from "../announce.js";
import { Chip, Empty, Field, Form, Loading, Page, Time, useLoad } from "../ui.js";

const KINDS = ["truces", "parties", "areas", "places", "presence"];
const LANGUAGES = ["en", "ar", "ru"];
const EMPTY = {
  parties: { kind: "armed_group", name: { en: "" }, aliases: [] },
  areas: { type: "Feature", properties: { name: { en: "" } }, geometry: { type: "Polygon", coordinates: [] } },
  places: { name: "", lat: 0, lon: 0, radius_km: 1, aliases: [] },
  presence: { party: "", area: "", control: "present", from: "2016-01-01T00:00" },
  truces: { name: { en: "" }, kind: "local", area: "", duties: [], announcements: [] },
};

export default function Registry({ kind, id, query }) {
  return id ? html`<${Resource} kind=${kind} id=${id} query=${query} />` : html`<${Kinds} query=${query} />`;
}

function Kinds({ query }) {
  const kind = KINDS.includes(query.kind) ? query.kind : "truces";
  const [found, problem] = useLoad(() => all(`/v1/${kind}`, { as_of: query.as_of }), [kind, query.as_of]);
  const [words, setWords] = useState("");
  const nameOf = (one) => named(one.name || one.properties?.name) || [one.party && partyName(one.party), one.area && areaName(one.area)].filter(Boolean).join(t("desk.comma")) || one.id;
  const shown = (found || []).filter((one) => `${one.id} ${nameOf(one)} ${(one.aliases || []).map((alias) => alias.name || alias).join(" ")}`.toLowerCase().includes(words.toLowerCase()));
  const add = (event) => {
    event.preventDefault();
    go(to(`/registry/${kind}/${encodeURIComponent(new FormData(event.target).get("id").trim())}`, { new: "1" }));
  };
  return html`<${Page} name=${t("desk.nav.registry")}>
    <p class="chips">${KINDS.map((one) => html`<a class="chip" href=${to("/registry", { kind: one, as_of: query.as_of })} aria-current=${one === kind ? "true" : undefined}>${t(`desk.kind.${one}`)}</a> `)}</p>
    <${Field} label=${t("desk.registry.find")}><input type="search" value=${words} onInput=${(event) => setWords(event.target.value)} /></${Field}>
    ${!found ? html`<${Loading} problem=${problem} />` : shown.length === 0 ? html`<${Empty}>${t("desk.registry.none")}</${Empty}>` : html`<p class="quiet">${t("desk.registry.shown", { count: number(Math.min(shown.length, 200)), all: number(found.length) })}</p>
      <ul class="names">${shown.slice(0, 200).map((one) => html`<li key=${one.id}><a href=${to(`/registry/${kind}/${encodeURIComponent(one.id)}`)}><bdi>${nameOf(one)}</bdi></a> <code>${one.id}</code></li>`)}</ul>`}
    ${may() && html`<section><h2>${t("desk.registry.add")}</h2><form class="inline" onSubmit=${add}><${Field} label=${t("desk.registry.id")} hint=${t("desk.registry.id_hint")}><input name="id" required pattern="[a-z0-9][a-z0-9.\\-]*" dir="ltr" /></${Field}><button>${t("desk.registry.add_go")}</button></form></section>`}
    <${History} path="/v1/registry/history" whole />
  </${Page}>`;
}

function Resource({ kind, id, query }) {
  const path = `/v1/${kind}/${encodeURIComponent(id)}`;
  const [found, problem, again] = useLoad(async (signal) => {
    if (query.new) return { resource: { id, ...EMPTY[kind] }, tag: null };
    const answer = await send(path, { query: { as_of: query.as_of }, signal, fresh: true });
    return { resource: await answer.json(), tag: answer.headers.get("etag") };
  }, [path, query.as_of, query.new]);
  if (!found) return html`<${Page} name=${id}><${Loading} problem=${problem} /></${Page}>`;
  const { resource } = found;
  const name = named(resource.name || resource.properties?.name) || id;
  return html`<${Page} name=${name} heading=${html`<bdi>${name}</bdi>`}>
    <p class="verdict-line"><${Chip}>${t(`desk.kind.${kind}`)}</${Chip}> <code>${id}</code>${kind === "truces" && !query.new && html` <a href=${to(`/truces/${encodeURIComponent(id)}`)}>${t("desk.registry.timeline")}</a>`}</p>
    ${may() && !query.as_of ? html`<${Editor} key=${found.tag} path=${path} resource=${resource} tag=${found.tag} done=${() => (query.new ? requery({ new: "" }, { replace: true }) : again())} gone=${() => go(to("/registry", { kind }))} />` : html`<pre class="scroll" tabindex="0">${JSON.stringify(short(resource), null, 2)}</pre>`}
    ${!query.new && html`<${History} path=${`${path}/history`} />`}
  </${Page}>`;
}

// A geometry is long and says nothing to people.
const short = (resource) => (resource.geometry ? { ...resource, geometry: `${resource.geometry.type} …` } : resource);

function Editor({ path, resource, tag, done, gone }) {
  const [text, setText] = useState(() => JSON.stringify(resource, null, 2));
  const [asText, setAsText] = useState(false);
  const [preview, setPreview] = useState(null);
  const [removing, setRemoving] = useState(false);
  const [newer, setNewer] = useState(null);
  const [told, setTold] = useState("");
  let parsed = null;
  let fault = "";
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    fault = error.message;
  }
  const change = (value) => (setText(value), setPreview(null), setTold(""));
  const headers = tag ? { "if-match": newer?.tag || tag } : { "if-none-match": "*" };
  const submit = async (event) => {
    const pressed = event.submitter?.value;
    const remove = pressed === "remove" || (pressed === "confirm" && removing);
    const query = pressed === "confirm" ? `reason=${encodeURIComponent(new FormData(event.target).get("reason"))}` : "dry_run=true";
    try {
      const answer = await act(remove ? "DELETE" : "PUT", `${path}?${query}`, remove ? undefined : text, tag ? { headers } : {});
      if (pressed !== "confirm") {
        setRemoving(remove);
        return setPreview(answer);
      }
      await readRegistry();
      if (remove) return gone();
      setTold(t("desk.registry.saved", { version: number(answer.registry_version) }));
      setPreview(null);
      done();
    } catch (error) {
      if (error.status !== 412) throw error;
      const latest = await send(path, { fresh: true });
      setNewer({ resource: await latest.json(), tag: latest.headers.get("etag") });
      setPreview(null);
    }
  };
  return html`<${Form} onSubmit=${submit} class="stack">
    <fieldset class="bare"><legend class="unseen">${t("desk.registry.as")}</legend><div class="actions"><label class="check"><input type="radio" name="as" checked=${!asText} disabled=${!parsed} onChange=${() => setAsText(false)} /> ${t("desk.registry.form")}</label><label class="check"><input type="radio" name="as" checked=${asText} onChange=${() => setAsText(true)} /> ${t("desk.registry.text")}</label></div></fieldset>
    ${asText || !parsed ? html`<${Field} label=${t("desk.registry.text")} wide error=${fault}><textarea class="code" rows="18" spellcheck="false" value=${text} onInput=${(event) => change(event.target.value)}></textarea></${Field}>` : html`<${Fields} value=${parsed} set=${(next) => change(JSON.stringify(next, null, 2))} />`}
    ${newer && html`<div class="preview" role="alert"><p><b>${t("desk.changed_meanwhile")}</b></p><div class="two"><div><h3>${t("desk.registry.yours")}</h3><${Differences} from=${resource} to=${parsed} /></div><div><h3>${t("desk.registry.theirs")}</h3><${Differences} from=${resource} to=${newer.resource} /></div></div>
      <div class="actions"><button type="button" onClick=${() => (change(JSON.stringify(newer.resource, null, 2)), setNewer(null), done())}>${t("desk.registry.take_theirs")}</button><span class="quiet">${t("desk.registry.keep_yours")}</span></div></div>`}
    ${preview && html`<div class="wide"><h2>${t(removing ? "desk.registry.removing" : "desk.registry.changes")}</h2>${!removing && html`<${Differences} from=${newer?.resource || resource} to=${parsed} />`}<${Preview} preview=${preview} /></div>
      <${Field} label=${t("desk.reason")} wide hint=${t("desk.announce.reason_hint")}><input name="reason" required maxlength="500" dir="auto" /></${Field}>`}
    <div class="actions"><button value="preview" class=${preview ? "" : "primary"} disabled=${!parsed} formnovalidate>${t("desk.preview")}</button>${preview && html`<button value="confirm" class=${removing ? "danger" : "primary"}>${t("desk.confirm")}</button>`}
      ${tag && html`<button value="remove" formnovalidate>${t("desk.registry.remove")}</button>`}</div>
    ${told && html`<p class="note" role="status">${told}</p>`}
  </${Form}>`;
}

function Differences({ from, to: target }) {
  const changes = changesOf(short(from), short(target || {}));
  return changes.length === 0 ? html`<p class="quiet">${t("desk.registry.same")}</p>` : html`<ul class="changes">${changes.map((one) => html`<li>${one.field}: <del><bdi>${one.before}</bdi></del> → <ins><bdi>${one.after}</bdi></ins></li>`)}</ul>`;
}

const label = (name) => (knows(`desk.registry.field.${name}`) ? t(`desk.registry.field.${name}`) : knows(`desk.filter.${name}`) ? t(`desk.filter.${name}`) : capital(name.replaceAll("_", " ")));

// Plain fields of a resource; what is nested deeper is edited as text.
function Fields({ value, set }) {
  const place = value.properties ? "properties" : null;
  const shown = place ? value.properties : value;
  const put = (name, next) => set(place ? { ...value, properties: { ...shown, [name]: next } } : { ...value, [name]: next });
  const rest = Object.keys(shown).filter((name) => !editable(name, shown[name]) && name !== "id");
  return html`<div class="stack wide">${Object.entries(shown).filter(([name, one]) => editable(name, one)).map(([name, one]) => {
    if (name === "name" && typeof one === "object") return html`<fieldset><legend>${t("desk.name")}</legend><div class="filter-grid">${LANGUAGES.map((code) => html`<${Field} label=${t(`desk.in.${code}`)}><input value=${one[code] || ""} dir="auto" lang=${code} onInput=${(event) => put(name, Object.fromEntries(Object.entries({ ...one, [code]: event.target.value }).filter(([, text]) => text)))} /></${Field}>`)}</div></fieldset>`;
    if (Array.isArray(one)) return html`<${Field} label=${label(name)} hint=${t("desk.registry.a_line")} wide><textarea rows=${Math.min(8, one.length + 1)} dir="auto" value=${one.join("\n")} onInput=${(event) => put(name, event.target.value.split("\n").filter((line) => line.trim()))}></textarea></${Field}>`;
    if (typeof one === "number") return html`<${Field} label=${label(name)}><input type="number" step="any" value=${one} dir="ltr" onInput=${(event) => event.target.value !== "" && put(name, Number(event.target.value))} /></${Field}>`;
    return html`<${Field} label=${label(name)}><input value=${one} dir="auto" onInput=${(event) => put(name, event.target.value)} /></${Field}>`;
  })}${rest.length > 0 && html`<p class="quiet">${t("desk.registry.rest", { fields: rest.map(label).join(t("desk.comma")) })}</p>`}</div>`;
}

const editable = (name, one) => name !== "id" && name !== "type" && (typeof one === "string" || typeof one === "number" || (name === "name" && typeof one === "object" && one !== null) || (Array.isArray(one) && one.every((item) => typeof item === "string") && one.length > 0) || (name === "aliases" && Array.isArray(one) && one.length === 0));

function History({ path, whole }) {
  const [found, problem] = useLoad((signal) => get(path, { limit: 20 }, { signal, fresh: true }), [path]);
  return html`<section><h2>${t("desk.registry.history")}</h2>${!found ? html`<${Loading} problem=${problem} />` : html`<ol class="history">${found.items.map((one) => html`<li><div><b>${t("desk.registry.version", { version: number(one.registry_version) })}</b> <${Time} at=${one.recorded_at} /> ${one.by && html`<bdi>${one.by.name}</bdi>`}</div>
    ${one.reason && html`<p><bdi>${one.reason}</bdi></p>`}<p class="quiet">${whole ? t("desk.registry.touched", { count: number(one.change_count), names: one.changes.slice(0, 3).map((change) => change.resource).join(t("desk.comma")) }) : (one.changes || []).filter((change) => change.field).map((change) => change.field).slice(0, 12).join(t("desk.comma"))}</p></li>`)}</ol>`}</section>`;
}

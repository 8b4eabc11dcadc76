// The desk's frame: who is signed in, where one is, whether the server answers.
import { render } from "preact";
import { useEffect, useErrorBoundary, useRef, useState } from "preact/hooks";
import { effect } from "@preact/signals";
import { get, key, refused, signIn, signOut } from "./api.js";
import { html } from "./html.js";
import { LANGUAGES, language, speak, t, term, wanted, zone } from "./i18n.js";
import { listen, requery, route, go, to } from "./router.js";
import { startOutbox } from "./outbox.js";
import { listenToKeys, shortcuts } from "./shortcuts.js";
import { connected, keepPulse, may, me, meet, overall, readRegistry, status, title } from "./state.js";
import { Field, Loading, Page, Refusal } from "./ui.js";

const ROLES = { anyone: () => me.value !== null, monitor: () => may("monitor"), operator: () => may(), reporter: () => may("partner") };
// Path, module, who may, and, where it stands in the navigation, its name there.
const PAGES = [
  [/^\/$/, "live", "anyone", "live", "/"],
  [/^\/incidents$/, "live", "anyone", "incidents", "/incidents"],
  [/^\/incidents\/(?<id>[^/]+)$/, "incident", "anyone"],
  [/^\/report$/, "report", "reporter", "report", "/report"],
  [/^\/review$/, "review", "operator", "review", "/review"],
  [/^\/truces$/, "truces", "anyone", "truces", "/truces"],
  [/^\/truces\/(?<id>[^/]+)$/, "truce", "anyone"],
  [/^\/subscriptions$/, "subscriptions", "monitor", "deliveries", "/subscriptions"],
  [/^\/subscriptions\/(?<id>[^/]+)$/, "subscription", "monitor"],
  [/^\/why$/, "why", "monitor", "why", "/why"],
  [/^\/silences$/, "silences", "monitor", "silences", "/silences"],
  [/^\/charts$/, "charts", "anyone", "charts", "/charts"],
  [/^\/registry$/, "registry", "anyone", "registry", "/registry"],
  [/^\/registry\/(?<kind>truces|parties|areas|places|presence)\/(?<id>[^/]+)$/, "registry", "anyone"],
  [/^\/admin$/, "admin", "operator", "admin", "/admin"],
];

function find(path) {
  const inner = path.replace(/^\/console/, "") || "/";
  for (const [pattern, module, who] of PAGES) {
    const match = pattern.exec(inner);
    if (match) return { module, who, parameters: Object.fromEntries(Object.entries(match.groups || {}).map(([name, value]) => [name, decodeURIComponent(value)])) };
  }
  return null;
}

function Content() {
  const [failed, forget] = useErrorBoundary((error) => console.error(error));
  const [module, setModule] = useState(null);
  const { path, query } = route.value;
  const found = find(path);
  useEffect(() => {
    if (failed) forget();
    let gone = false;
    if (found) import(`./pages/${found.module}.js`).then((loaded) => gone || setModule({ name: found.module, View: loaded.default }), () => gone || setModule({ name: found.module, View: Unloaded }));
    return () => (gone = true);
  }, [found?.module]);
  if (failed) return html`<${Page} name=${t("desk.broken")}><p>${t("desk.broken_more")}</p></${Page}>`;
  if (!found) return html`<${Page} name=${t("desk.not_found")}><p><a href=${to("/")}>${t("desk.nav.live")}</a></p></${Page}>`;
  if (!ROLES[found.who]()) return html`<${Page} name=${t("desk.not_yours")}><p>${t("desk.not_yours_more", { role: t(`desk.role.${me.value.role}`) })}</p></${Page}>`;
  if (module?.name !== found.module) return html`<${Loading} />`;
  return html`<${module.View} key=${path} path=${path} query=${query} ...${found.parameters} />`;
}

const Unloaded = () => html`<${Page} name=${t("desk.not_connected")}><p>${t("desk.no_answer")}</p></${Page}>`;

function SignIn() {
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(event.target).get("key").trim();
    if (given) signIn(given);
  };
  return html`<main id="main" class="narrow"><${Page} name=${t("desk.sign_in")}>
    <p>${t("desk.sign_in_more")}</p>
    <form onSubmit=${submit} class="stack"><${Field} label=${t("console.key")} wide><input name="key" type="password" autocomplete="off" required spellcheck="false" autofocus /></${Field}>
      <button class="primary">${t("desk.sign_in")}</button></form>
    ${refused.value && html`<p class="bad" role="alert">${t("desk.bad_key")}</p>`}
    <p class="quiet"><a href="/status">${t("desk.nav.status")}</a> · <a href="/docs">${t("desk.nav.docs")}</a></p>
  </${Page}></main>`;
}

function Languages() {
  const choose = (event) => {
    localStorage.setItem("language", event.target.value);
    requery({ language: event.target.value }, { replace: true });
  };
  return html`<label class="language"><span class="unseen">${t("desk.language")}</span><select value=${language.value} onChange=${choose}>
    ${Object.entries(LANGUAGES).map(([one, name]) => html`<option value=${one} lang=${one} selected=${one === language.value}>${name}</option>`)}
  </select></label>`;
}

function Search() {
  const [missing, setMissing] = useState("");
  const find = async (event) => {
    event.preventDefault();
    const id = new FormData(event.target).get("id").trim();
    if (!id) return;
    setMissing("");
    try {
      const found = may("monitor") ? await get("/v1/lookup", { id }) : await get(`/v1/incidents/${encodeURIComponent(id)}`);
      go(to(`/incidents/${encodeURIComponent(found.incident_id)}`));
    } catch {
      const named = await get("/v1/incidents", { external_id: id, limit: 1 }).catch(() => ({ items: [] }));
      if (named.items.length) go(to(`/incidents/${named.items[0].incident_id}`));
      else setMissing(t("desk.search_none", { id }));
    }
  };
  return html`<form class="search" role="search" onSubmit=${find}>
    <label><span class="unseen">${t("desk.search")}</span><input id="search" name="id" type="search" placeholder=${t("desk.search")} autocomplete="off" onInput=${() => setMissing("")} /></label>
    ${missing && html`<p class="bad" role="alert"><bdi>${missing}</bdi></p>`}
  </form>`;
}

function Header() {
  const [open, setOpen] = useState(false);
  const here = route.value.path;
  useEffect(() => setOpen(false), [here]);
  const state = overall.value;
  const entries = PAGES.filter(([, , who, name]) => name && me.value && ROLES[who]());
  const waiting = status.value?.review?.open;
  return html`<header class="top">
    <a class="skip" href="#main">${t("desk.skip")}</a>
    <a class="brand" href=${to("/")}><img src="/console/icon.svg" width="26" height="26" alt="" />Trucewatch</a>
    ${me.value && html`<button type="button" class="menu" aria-expanded=${open} aria-controls="nav" onClick=${() => setOpen(!open)}>${t("desk.menu")}</button>`}
    ${me.value && html`<nav id="nav" class=${open ? "open" : ""} aria-label=${t("desk.menu")}>
      ${entries.map(([pattern, , , name, place]) => {
        const inner = here.replace(/^\/console/, "") || "/";
        const current = place === "/" ? inner === "/" : inner === place || inner.startsWith(`${place}/`);
        return html`<a href=${to(place)} aria-current=${current ? "page" : undefined}>${t(name === "incidents" && !may("monitor") ? "desk.nav.own" : `desk.nav.${name}`)}${name === "review" && waiting > 0 && html` <span class="count">${waiting}</span>`}</a>`;
      })}
    </nav>`}
    <div class="tools">
      ${me.value && html`<${Search} />`}
      <a href="/status" class=${`pulse ${state || ""}`}><span class="dot" aria-hidden="true"></span>${state === "lost" ? t("desk.not_connected") : state ? term("state", state) : "…"}</a>
      <${Languages} />
      ${me.value && html`<span class="who"><bdi>${me.value.name}</bdi> <small class="quiet">${t(`desk.role.${me.value.role}`)}</small> <button type="button" class="plain" onClick=${() => signOut()}>${t("desk.sign_out")}</button></span>`}
    </div>
  </header>`;
}

function Desk() {
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    setProblem(null);
    meet().then(() => me.value && readRegistry().catch(() => {}), (error) => error.status === 401 || setProblem(error));
  }, [key.value]);
  useEffect(() => {
    // A key that could not be read for want of an answer is read once there is one.
    if (connected.value && key.value && !me.value && problem) meet().then(() => (setProblem(null), readRegistry().catch(() => {})), setProblem);
  }, [connected.value]);
  return html`<${Header} />
    <div class="lost-banner" role="status">${!connected.value && html`<p><b>${t("desk.not_connected")}</b> ${t("desk.not_connected_more")}</p>`}</div>
    ${!key.value ? html`<${SignIn} />` : html`<main id="main">${me.value ? html`<${Content} />` : html`<${Loading} problem=${problem} />`}</main>`}
    ${shortcuts.value && html`<${Help} />`}
    <footer><span>${t("desk.zone", { zone })}</span> <a href="/docs">${t("desk.nav.docs")}</a> <button type="button" class="plain" onClick=${() => (shortcuts.value = true)}>${t("desk.keys")}</button></footer>`;
}

function Help() {
  const ref = useRef();
  useEffect(() => ref.current.showModal(), []);
  const [on, setOn] = useState(localStorage.getItem("shortcuts") !== "off");
  const turn = (event) => {
    localStorage.setItem("shortcuts", event.target.checked ? "on" : "off");
    setOn(event.target.checked);
  };
  return html`<dialog ref=${ref} aria-labelledby="keys-name" onClose=${() => (shortcuts.value = false)}>
    <h2 id="keys-name">${t("desk.keys")}</h2>
    <dl class="keys">${[["j / k", "move"], ["Enter", "open"], ["/", "search"], ["g l", "live"], ["g m", "map"], ["?", "help"]].map(([keys, what]) => html`<div><dt><kbd>${keys}</kbd></dt><dd>${t(`desk.keys.${what}`)}</dd></div>`)}</dl>
    <label class="check"><input type="checkbox" checked=${on} onChange=${turn} /> ${t("desk.keys.on")}</label>
    <form method="dialog"><button>${t("desk.close")}</button></form>
  </dialog>`;
}

// The key from the fragment of a link: it leaves the address at once.
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return;
  history.replaceState(null, "", location.pathname + location.search);
  signIn(given);
}

takeKey();
addEventListener("hashchange", takeKey);
await speak(wanted());
effect(() => {
  const chosen = wanted(route.value);
  if (chosen !== language.peek()) speak(chosen);
});
effect(() => {
  const lost = connected.value ? "" : `${t("desk.not_connected")} · `;
  document.title = `${lost}${title.value ? `${title.value} · ` : ""}Trucewatch`;
});
listen();
listenToKeys();
startOutbox();
keepPulse();
render(html`<${Desk} />`, document.getElementById("desk"));

// Keeps the page fresh: the status for everyone, the alerts for whoever has a key. Plain fetch, no build.
"use strict";

const STATUS_EVERY_MS = 5000;
const ALERTS_EVERY_MS = 2000;
const SHOWN = 100;
const PAGES_A_TURN = 20;

const element = (id) => document.getElementById(id);

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// The status: fetch the page again and put its status part in the place of ours, where it differs.
async function refreshStatus() {
  try {
    const answer = await fetch("/status", { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["status", "stamp"]) {
      const [old, now] = [element(id), fresh.getElementById(id)];
      if (now && old.innerHTML !== now.innerHTML) old.replaceWith(document.importNode(now, true));
    }
    document.title = fresh.title;
  } catch {
    const stamp = element("stamp");
    stamp.classList.add("lost");
    if (!stamp.dataset.lost) {
      stamp.dataset.lost = "yes";
      stamp.prepend("no answer; ");
    }
  }
}

// The key: from the fragment of a link, or typed in. It stays in this tab and leaves the address bar at once.
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem("key", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem("key");
}

const alerts = new Map();
let cursor = null;
let key = null;

async function fetchAlerts() {
  for (let page = 0; page < PAGES_A_TURN; page += 1) {
    const query = new URLSearchParams({ limit: "1000" });
    if (cursor) query.set("after", cursor);
    const answer = await fetch(`/v1/alerts?${query}`, { headers: { Authorization: `Bearer ${key}` } });
    if (answer.status === 401 || answer.status === 403) return refuseKey(answer.status);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const list = await answer.json();
    cursor = list.next || cursor;
    for (const alert of list.items) {
      alerts.delete(alert.id);
      alerts.set(alert.id, alert);
      if (alerts.size > SHOWN) alerts.delete(alerts.keys().next().value);
    }
    if (list.items.length) showAlerts();
    if (!list.has_more) break;
  }
  element("live-note").textContent = alerts.size ? "Newest first; each line is the latest word on its alert." : "No alert so far.";
}

function refuseKey(status) {
  forgetKey();
  element("live-note").textContent = status === 401 ? "This key is not valid, or no longer." : "This key may not read alerts.";
}

function forgetKey() {
  sessionStorage.removeItem("key");
  key = null;
  cursor = null;
  alerts.clear();
  element("alerts").replaceChildren();
  element("key-form").hidden = false;
  element("forget").hidden = true;
}

function useKey(given) {
  key = given;
  element("key-form").hidden = true;
  element("forget").hidden = false;
  element("live-note").textContent = "Looking for alerts …";
  pollAlerts();
}

async function pollAlerts() {
  if (!key) return;
  try {
    await fetchAlerts();
  } catch {
    element("live-note").textContent = "No answer; trying again.";
  }
  if (key) setTimeout(pollAlerts, ALERTS_EVERY_MS);
}

function showAlerts() {
  const open = new Set([...document.querySelectorAll(".alert details[open]")].map((d) => d.dataset.alert));
  const lines = [...alerts.values()].reverse().map((alert) => alertLine(alert, open.has(alert.id)));
  element("alerts").replaceChildren(...lines);
}

function alertLine(alert, open) {
  const line = make("li", `alert ${alert.severity} ${alert.status}`);
  line.append(make("p", "headline", alert.headline));
  const facts = [alert.status, alert.severity, alert.verdict === "violation" ? alert.certainty : alert.verdict, when(alert), alert.truces.join(", ")];
  line.append(make("p", "meta", facts.filter(Boolean).join(" · ")));
  const details = make("details");
  details.dataset.alert = alert.id;
  details.open = open;
  details.append(make("summary", "", "why"));
  const list = make("ul");
  for (const reason of alert.reasons) list.append(make("li", "", reason.text || reason.code));
  for (const change of alert.changes) list.append(make("li", "", `${change.field} was ${asText(change.before)}, is ${asText(change.after)}`));
  details.append(list);
  line.append(details);
  return line;
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function when(alert) {
  const shown = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
  return `${shown.format(new Date(alert.occurred.from))} UTC`;
}

element("key-form").hidden = false;
  element("forget").hidden = true;
}

function useKey(given) {
  key = given;
  element("key-form").hidden = true;
  element("forget").hidden = false;
  element("live-note").textContent = "Looking for alerts …";
  pollAlerts();
}

async function pollAlerts() {
  if (!key) return;
  try {
    await fetchAlerts();
  } catch {
    element("live-note").textContent = "No answer; trying again.";
  }
  if (key) setTimeout(pollAlerts, ALERTS_EVERY_MS);
}

function showAlerts() {
  const open = new Set([...document.querySelectorAll(".alert details[open]")].map((d) => d.dataset.alert));
  const lines = [...alerts.values()].reverse().map((alert) => alertLine(alert, open.has(alert.id)));
  element("alerts").replaceChildren(...lines);
}

function alertLine(alert, open) {
  const line = make("li", `alert ${alert.severity} ${alert.status}`);
  line.append(make("p", "headline", alert.headline));
  const facts = [alert.status, alert.severity, alert.verdict === "violation" ? alert.certainty : alert.verdict, when(alert), alert.truces.join(", ")];
  line.append(make("p", "meta", facts.filter(Boolean).join(" · ")));
  const details = make("details");
  details.dataset.alert = alert.id;
  details.open = open;
  details.append(make("summary", "", "why"));
  const list = make("ul");
  for (const reason of alert.reasons) list.append(make("li", "", reason.text || reason.code));
  for (const change of alert.changes) list.append(make("li", "", `${change.field} was ${asText(change.before)}, is ${asText(change.after)}`));
  details.append(list);
  line.append(details);
  return line;
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function when(alert) {
  try {
    const shown = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: alert.timezone || "UTC" });
    return `${shown.format(new Date(alert.occurred.from))} ${alert.timezone || "UTC"}`;
  } catch {
    return alert.occurred.from;
  }
}

element("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", element("key").value.trim());
  element("key").value = "";
  useKey(sessionStorage.getItem("key"));
});
element("forget").addEventListener("click", () => {
  forgetKey();
  element("live-note").textContent = "The key is forgotten.";
});
addEventListener("hashchange", () => {
  const given = takeKey();
  if (given) {
    forgetKey();
    sessionStorage.setItem("key", given);
    useKey(given);
  }
});

const first = takeKey();
if (first) useKey(first);
else element("key-form").hidden = false;
setInterval(refreshStatus, STATUS_EVERY_MS);

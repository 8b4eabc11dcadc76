// Keeps the page fresh: the status for everyone, the alerts with a key. Plain fetch, no build.
"use strict";

const STATUS_EVERY_MS = 5000;
const ALERTS_EVERY_MS = 2000;
const SHOWN = 100;
const PAGES_A_TURN = 20;
// Arabic months as in the Levant, digits as in the rest of the page.
const LOCALES = { en: "en-GB", ar: "ar-SY-u-nu-latn", ru: "ru" };

// The page brings the words of its language.
const language = document.documentElement.lang;
const words = JSON.parse(document.body.dataset.words);
const term = (kind, value) => (value ? words[`${kind}.${value}`] || value : value);

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
    const answer = await fetch(`/status?language=${language}`, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["status", "stamp"]) {
      const [old, now] = [element(id), fresh.getElementById(id)];
      if (now && old.innerHTML !== now.innerHTML) old.replaceWith(document.importNode(now, true));
    }
    if (document.title !== fresh.title) {
      document.title = fresh.title;
      element("said").textContent = fresh.getElementById("overall").textContent;
    }
  } catch {
    const stamp = element("stamp");
    stamp.classList.add("lost");
    if (!stamp.dataset.lost) {
      stamp.dataset.lost = "yes";
      stamp.prepend(words["console.lost"]);
    }
  }
}

// The key: from the fragment of a link, or typed in. It stays in this tab and leaves the address bar at once.
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) history.replaceState(null, "", location.pathname + location.search);
  return given;
}

const alerts = new Map();
let cursor = null;
let key = null;

// One follower a key: when the key changes, the one before it ends at its next step.
async function follow(mine) {
  while (key === mine) {
    try {
      await fetchAlerts(mine);
    } catch {
      if (key === mine) note(words["console.no_answer"]);
    }
    await new Promise((done) => setTimeout(done, ALERTS_EVERY_MS));
  }
}

async function fetchAlerts(mine) {
  for (let page = 0; page < PAGES_A_TURN; page += 1) {
    const query = new URLSearchParams({ limit: "1000", language });
    if (cursor) query.set("after", cursor);
    const answer = await fetch(`/v1/alerts?${query}`, { headers: { Authorization: `Bearer ${mine}` } });
    if (key !== mine) return;
    if (answer.status === 401 || answer.status === 403) return refuseKey(answer.status);
    if (answer.status === 410) {
      // The storage was restored from a backup: what was shown may not be there any more.
      cursor = null;
      alerts.clear();
      throw new Error("restored");
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const list = await answer.json();
    if (key !== mine) return;
    take(list.items);
    cursor = list.next || cursor;
    if (!list.has_more) break;
  }
  note(alerts.size ? words["console.newest_first"] : words["console.no_alert"]);
}

function take(items) {
  for (const alert of items) {
    alerts.delete(alert.id);
    alerts.set(alert.id, alert);
    if (alerts.size > SHOWN) alerts.delete(alerts.keys().next().value);
  }
  if (items.length) showAlerts();
}

function note(text) {
  element("live-note").textContent = text;
}

function refuseKey(status) {
  forgetKey();
  note(status === 401 ? words["console.bad_key"] : words["console.weak_key"]);
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
  forgetKey();
  sessionStorage.setItem("key", given);
  key = given;
  element("key-form").hidden = true;
  element("forget").hidden = false;
  note(words["console.looking"]);
  follow(given);
}

function showAlerts() {
  const open = new Set([...document.querySelectorAll(".alert details[open]")].map((d) => d.dataset.alert));
  const lines = [...alerts.values()].reverse().map((alert) => alertLine(alert, open.has(alert.id)));
  element("alerts").replaceChildren(...lines);
}

function alertLine(alert, open) {
  const line = make("li", `alert ${alert.severity} ${alert.status}`);
  line.append(make("p", "headline", alert.headline));
  const sure = alert.verdict === "violation" ? term("certainty", alert.certainty) : term("verdict", alert.verdict);
  const facts = [term("status", alert.status), term("severity", alert.severity), sure, when(alert), alert.truces.join(", ")];
  line.append(make("p", "meta", facts.filter(Boolean).join(" · ")));
  const details = make("details");
  details.dataset.alert = alert.id;
  details.open = open;
  details.append(make("summary", "", words["console.why"]));
  const list = make("ul");
  for (const reason of alert.reasons) list.append(make("li", "", reason.text || reason.code));
  for (const change of alert.changes) list.append(make("li", "", asChange(change)));
  details.append(list);
  line.append(details);
  return line;
}

function asChange(change) {
  const blanks = { field: change.field, before: asText(change.before), after: asText(change.after) };
  return words["console.change"].replace(/{(\w+)}/g, (_, name) => blanks[name]);
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function when(alert) {
  const shown = new Intl.DateTimeFormat(LOCALES[language], { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
  return `${shown.format(new Date(alert.occurred.from))} UTC`;
}

element("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = element("key").value.trim();
  element("key").value = "";
  if (given) useKey(given);
});
element("forget").addEventListener("click", () => {
  forgetKey();
  note(words["console.forgotten"]);
});
addEventListener("hashchange", () => {
  const given = takeKey();
  if (given) useKey(given);
});

const first = takeKey() || sessionStorage.getItem("key");
if (first) useKey(first);
else element("key-form").hidden = false;
setInterval(refreshStatus, STATUS_EVERY_MS);

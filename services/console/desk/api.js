// The public API, with the reader's key and in the reader's language; nothing else is asked.
import { signal } from "@preact/signals";
import { language } from "./i18n.js";

const TIMEOUT_MS = 30000;
export const key = signal(sessionStorage.getItem("key"));
export const refused = signal(false);

// A problem that the API answered, RFC 9457. ``status`` 0: there was no answer.
export class Problem extends Error {
  constructor(status, document = {}) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
    this.document = document;
    this.errors = document.errors || [];
  }
}

export function signIn(given) {
  sessionStorage.setItem("key", given);
  refused.value = false;
  key.value = given;
}

export function signOut(wrong = false) {
  sessionStorage.removeItem("key");
  refused.value = wrong;
  key.value = null;
}

export const address = (path, query = {}) => {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((one) => one !== undefined && one !== null && one !== "").map((one) => [name, one]),
  );
  const given = new URLSearchParams(pairs).toString();
  return given ? `${path}?${given}` : path;
};

export async function send(path, { method = "GET", query, body, headers = {}, signal: stop, timeout = TIMEOUT_MS, fresh } = {}) {
  const mine = key.value;
  const given = { "accept-language": language.value, ...headers };
  if (mine) given.authorization = `Bearer ${mine}`;
  if (body !== undefined) given["content-type"] = given["content-type"] || "application/json";
  const signals = [AbortSignal.timeout(timeout), ...(stop ? [stop] : [])];
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method,
      headers: given,
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      signal: AbortSignal.any(signals),
      cache: fresh ? "no-cache" : "default",
    });
  } catch (error) {
    if (stop && stop.aborted) throw error;
    throw new Problem(0);
  }
  if (answer.status === 401 && mine && mine === key.value) signOut(true);
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

export async function get(path, query, options = {}) {
  return (await send(path, { query, ...options })).json();
}

export async function act(method, path, body, options = {}) {
  const answer = await send(path, { method, body, ...options });
  return answer.status === 204 ? null : answer.json();
}

// All items of a list, page by page, up to a bound.
export async function all(path, query = {}, most = 5000) {
  const items = [];
  let after;
  do {
    const page = await get(path, { limit: 1000, ...query, after });
    items.push(...page.items);
    after = page.has_more ? page.next : null;
  } while (after && items.length < most);
  return items;
}

// Addresses: the page is the path, its filters are the query.
import { signal } from "@preact/signals";
import { LANGUAGES } from "./i18n.js";

const read = () => ({ path: location.pathname, query: Object.fromEntries(new URLSearchParams(location.search)) });
export const route = signal(read());

// An address within the desk, which keeps a language that was asked for.
export function to(path, query = {}) {
  const asked = route.value.query.language;
  const all = { ...query, ...(asked in LANGUAGES && !("language" in query) ? { language: asked } : {}) };
  const given = new URLSearchParams(Object.entries(all).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  return `/console${path}${given.size ? `?${given}` : ""}`;
}

export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  const before = route.value.path;
  route.value = read();
  if (before !== route.value.path) scrollTo(0, 0);
}

// The query of this page, changed.
export const requery = (changes, options) => go(to(route.value.path.slice("/console".length), { ...route.value.query, ...changes }), options);

export function listen() {
  addEventListener("popstate", () => (route.value = read()));
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || !url.pathname.startsWith("/console/") || url.hash) return;
    event.preventDefault();
    go(url.pathname + url.search);
  });
}

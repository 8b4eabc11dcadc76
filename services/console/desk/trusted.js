// The one policy of Trusted Types: it lets exactly these scripts of ours be loaded late, and nothing else.
const base = document.documentElement.dataset.base;
export const WORKER = `${base}vendor/maplibre-gl-worker.mjs`;
const LATE = [WORKER, `${base}vendor/pmtiles.js`, `${base}vendor/uPlot.iife.min.js`];

globalThis.trustedTypes?.createPolicy("default", {
  createScriptURL(url) {
    if (LATE.includes(new URL(url, location.href).pathname)) return url;
    throw new TypeError("this script is not one of ours");
  },
});

const loaded = new Map();

function load(name, make) {
  if (!loaded.has(name))
    loaded.set(
      name,
      new Promise((done, failed) => {
        const element = make();
        element.addEventListener("load", done);
        element.addEventListener("error", () => (loaded.delete(name), failed(new Error(name))));
        document.head.append(element);
      }),
    );
  return loaded.get(name);
}

export const loadScript = (name) => load(name, () => Object.assign(document.createElement("script"), { src: `${base}vendor/${name}` }));
export const loadStyle = (name) => load(name, () => Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${base}vendor/${name}` }));

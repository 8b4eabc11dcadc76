// Incidents on a map: a place as the circle of its radius, a verdict by colour and by shape. It comes after the list, and
// the list says all of it in words.
import { useEffect, useRef, useState } from "preact/hooks";
import { effect } from "@preact/signals";
import { html } from "./html.js";
import { capital, language, n, number, t, term } from "./i18n.js";
import { areaName, registry } from "./state.js";
import { IncidentLink } from "./ui.js";

const base = document.documentElement.dataset.base;
const basemap = document.documentElement.dataset.basemap;
// Metres to a pixel at zoom 0 on the equator, with tiles of 512 pixels.
const METRES = 78271.517;
const SOFTWARE = /swiftshader|llvmpipe|basic render|software/i;
const SHAPES = ["violation", "undetermined", "excluded", "not_covered", "none"];

// The way to draw here: "full", "simple" (no graphics processor) or null.
export function ability() {
  const context = document.createElement("canvas").getContext("webgl2");
  if (!context) return null;
  const told = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = told ? context.getParameter(told.UNMASKED_RENDERER_WEBGL) : "";
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return SOFTWARE.test(renderer) ? "simple" : "full";
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const COLOURS = { violation: "bad", undetermined: "warn", excluded: "quiet", not_covered: "quiet", none: "quiet" };

// The shape of a verdict as an image.
function mark(verdict) {
  const size = 32;
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const draw = canvas.getContext("2d");
  draw.lineWidth = 4;
  draw.strokeStyle = colour("card");
  draw.fillStyle = colour(COLOURS[verdict]);
  draw.beginPath();
  if (verdict === "violation") [[16, 3], [29, 16], [16, 29], [3, 16]].forEach(([x, y], at) => (at ? draw.lineTo(x, y) : draw.moveTo(x, y)));
  else if (verdict === "undetermined") draw.arc(16, 16, 11, 0, 2 * Math.PI);
  else if (verdict === "excluded") [[16, 4], [29, 27], [3, 27]].forEach(([x, y], at) => (at ? draw.lineTo(x, y) : draw.moveTo(x, y)));
  else draw.rect(6, 6, 20, 20);
  draw.closePath();
  draw.stroke();
  draw.fill();
  return draw.getImageData(0, 0, size, size);
}

function style() {
  return {
    version: 8,
    sources: {
      base: { type: "vector", url: `pmtiles://${location.origin}${basemap}` },
      areas: { type: "geojson", data: empty() },
      names: { type: "geojson", data: empty() },
      incidents: { type: "geojson", data: empty() },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": colour("sea") } },
      { id: "land", type: "fill", source: "base", "source-layer": "land", paint: { "fill-color": colour("land"), "fill-antialias": false } },
      { id: "borders", type: "line", source: "base", "source-layer": "borders", paint: { "line-color": colour("field"), "line-width": 1 } },
      { id: "areas", type: "line", source: "areas", paint: { "line-color": colour("quiet"), "line-width": 0.8, "line-dasharray": [3, 2] } },
      { id: "uncertain", type: "circle", source: "incidents", paint: { "circle-radius": ["interpolate", ["exponential", 2], ["zoom"], 0, ["get", "px"], 22, ["*", ["get", "px"], 2 ** 22]], "circle-color": ["match", ["get", "verdict"], "violation", colour("bad"), "undetermined", colour("warn"), colour("quiet")], "circle-opacity": 0.08, "circle-stroke-width": 1, "circle-stroke-opacity": 0.5, "circle-stroke-color": ["match", ["get", "verdict"], "violation", colour("bad"), "undetermined", colour("warn"), colour("quiet")] } },
      { id: "names", type: "symbol", source: "names", layout: { "text-field": ["get", "name"], "text-font": ["sans-serif"], "text-size": 12, "text-max-width": 8 }, paint: { "text-color": colour("ink"), "text-halo-color": colour("land"), "text-halo-width": 1.4 } },
      { id: "marks", type: "symbol", source: "incidents", layout: { "icon-image": ["concat", "mark-", ["get", "verdict"]], "icon-size": 0.7, "icon-allow-overlap": true } },
    ],
  };
}

const empty = () => ({ type: "FeatureCollection", features: [] });

// As they are drawn: the radius in pixels at zoom 0.
const drawn = (features) => ({
  type: "FeatureCollection",
  features: features
    .filter((one) => one.geometry?.type === "Point")
    .map((one) => ({ type: "Feature", geometry: one.geometry, properties: { id: one.id, verdict: one.properties.verdict || "none", act: one.properties.act, radius: one.properties.radius, px: ((one.properties.radius || 0) * 1000) / (METRES * Math.cos((one.geometry.coordinates[1] * Math.PI) / 180)) } })),
});

function middle(geometry) {
  const rings = geometry?.type === "Polygon" ? [geometry.coordinates[0]] : geometry?.type === "MultiPolygon" ? geometry.coordinates.map((one) => one[0]) : [];
  const ring = rings.sort((a, b) => b.length - a.length)[0];
  if (!ring) return null;
  const [xs, ys] = [ring.map((one) => one[0]), ring.map((one) => one[1])];
  return [(Math.min(...xs) + Math.max(...xs)) / 2, (Math.min(...ys) + Math.max(...ys)) / 2];
}

function bounds(features, areas) {
  const points = features.map((one) => one.geometry.coordinates);
  const all = points.length ? points : areas.map((one) => middle(one.geometry)).filter(Boolean);
  if (!all.length) return [[-20, -30], [60, 60]];
  const [xs, ys] = [all.map((one) => one[0]), all.map((one) => one[1])];
  return [[Math.min(...xs) - 0.2, Math.min(...ys) - 0.2], [Math.max(...xs) + 0.2, Math.max(...ys) + 0.2]];
}

export default function IncidentMap({ features, onMove }) {
  const box = useRef();
  const map = useRef();
  const given = useRef(features);
  const moved = useRef(onMove);
  given.current = features;
  moved.current = onMove;
  const [able] = useState(ability);
  const [picked, setPicked] = useState(null);
  const [failed, setFailed] = useState(false);
  const [ready, setReady] = useState(false);

  useEffect(() => {
    if (!able) return;
    let gone = false;
    let stop = () => {};
    start(box.current, able).then(
      (made) => {
        if (gone) return made.remove();
        map.current = made;
        made.on("error", (event) => console.warn("map", event.error?.message));
        made.on("load", () => {
          SHAPES.forEach((one) => made.addImage(`mark-${one}`, mark(one), { pixelRatio: 1 }));
          stop = effect(() => showAreas(made, [...registry.value.areas.values()], language.value));
          made.getSource("incidents").setData(drawn(given.current));
          made.fitBounds(bounds(given.current, [...registry.value.areas.values()]), { padding: 30, maxZoom: 9, animate: false });
          made.on("moveend", (event) => event.originalEvent && moved.current?.(made.getBounds().toArray().flat()));
          made.on("click", ({ point }) => {
            const near = made.queryRenderedFeatures([[point.x - 8, point.y - 8], [point.x + 8, point.y + 8]], { layers: ["marks"] });
            setPicked(near.length ? near.slice(0, 8).map((one) => one.properties) : null);
          });
          setReady(true);
        });
      },
      () => gone || setFailed(true),
    );
    return () => {
      gone = true;
      stop();
      map.current?.remove();
      map.current = null;
    };
  }, [able]);

  // At most one redraw a second.
  useEffect(() => {
    if (!ready) return;
    const timer = setTimeout(() => map.current?.getSource("incidents")?.setData(drawn(features)), 200);
    return () => clearTimeout(timer);
  }, [features, ready]);

  const name = t("desk.map.name", { incidents: n("desk.list.shown", features.length) });
  useEffect(() => {
    map.current?.getCanvas().setAttribute("aria-label", name);
  }, [name, ready]);
  if (!able || failed) return html`<p class="note" id="map">${t("desk.map.none")}</p>`;
  return html`<div class="map-frame"><div id="map" ref=${box} class="map" data-ready=${ready}></div>
    ${able === "simple" && html`<p class="quiet"><small>${t("desk.map.simple")}</small></p>`}
    <ul class="legend">${SHAPES.slice(0, 4).map((one) => html`<li class=${`verdict-mark ${one} plain`}><small>${capital(term("verdict", one))}</small></li>`)}<li class="credit"><small>${t("desk.map.credit")}</small></li></ul>
    ${picked && html`<ul class="linked" role="status">${picked.map((one) => html`<li><${IncidentLink} id=${one.id}>${capital(term("act", one.act))}</${IncidentLink}> <small>${one.verdict === "none" ? t("desk.not_assessed") : term("verdict", one.verdict)}${t("desk.comma")}${t("desk.incident.radius", { km: number(one.radius) })}</small></li>`)}</ul>`}
  </div>`;
}

async function start(container, able) {
  const [library, { WORKER, loadScript, loadStyle }] = await Promise.all([import(`${base}vendor/maplibre-gl.mjs`), import("./trusted.js")]);
  await Promise.all([loadScript("pmtiles.js"), loadStyle("maplibre-gl.css")]);
  library.setWorkerUrl(WORKER);
  library.addProtocol("pmtiles", new globalThis.pmtiles.Protocol().tile);
  const map = new library.Map({
    container,
    style: style(),
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    maxZoom: 14,
    renderWorldCopies: false,
    ...(able === "simple" ? { pixelRatio: 1, fadeDuration: 0 } : {}),
    locale: { "Map.Title": t("desk.map.title"), "NavigationControl.ZoomIn": t("desk.map.in"), "NavigationControl.ZoomOut": t("desk.map.out") },
  });
  map.addControl(new library.NavigationControl({ showCompass: false }), language.value === "ar" ? "top-left" : "top-right");
  map.touchZoomRotate.disableRotation();
  return map;
}

function showAreas(map, areas) {
  const outlined = areas.filter((one) => one.geometry);
  map.getSource("areas")?.setData({ type: "FeatureCollection", features: outlined.map(({ geometry }) => ({ type: "Feature", properties: {}, geometry })) });
  const points = outlined.map((one) => [areaName(one.id), middle(one.geometry)]).filter(([, point]) => point);
  map.getSource("names")?.setData({ type: "FeatureCollection", features: points.map(([name, coordinates]) => ({ type: "Feature", properties: { name }, geometry: { type: "Point", coordinates } })) });
}

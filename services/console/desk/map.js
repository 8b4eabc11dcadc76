// Incidents on a map. It comes after the list, and the list says all of it in words.
import { useEffect, useRef, useState } from "preact/hooks";
import { effect } from "@preact/signals";
import { addProtocol, addRegion, nameRegion } from "./basemap.js";
import { html } from "./html.js";
import { capital, language, n, number, t, term } from "./i18n.js";
import { SHAPES, bounds, colour, drawn, mark, middle, style } from "./map_style.js";
import { areaName, registry } from "./state.js";
import { IncidentLink } from "./ui.js";

const base = document.documentElement.dataset.base;
const SOFTWARE = /swiftshader|llvmpipe|basic render|software/i;
// Between two redraws of what changed, by the way to draw.
const REDRAW_MS = { full: 200, simple: 1000 };
const FRAMES = 10;
const SLOW_FRAME_MS = 80;

// The way to draw here: "full", "simple" (no graphics processor) or null.
export function ability() {
  const context = document.createElement("canvas").getContext("webgl2");
  if (!context) return null;
  const told = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = told ? context.getParameter(told.UNMASKED_RENDERER_WEBGL) : "";
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return SOFTWARE.test(renderer) ? "simple" : "full";
}

// ``areas``: those that are marked. ``onMove``: told the edges that a person moved to. ``onPick``: told the place that a
// person chose; the map then has a mark in its middle, for who works by the keyboard.
export default function IncidentMap({ features, areas = [], small, onMove, onPick }) {
  const box = useRef();
  const map = useRef();
  const told = useRef({});
  const redraw = useRef(0);
  told.current = { features, areas, onMove, onPick };
  const [able, setAble] = useState(ability);
  const [picked, setPicked] = useState(null);
  const [failed, setFailed] = useState(false);
  const [ready, setReady] = useState(false);
  const [credit, setCredit] = useState("");

  const fit = (made) => made.fitBounds(bounds(told.current.features, [...registry.value.areas.values()], told.current.areas), { padding: 30, maxZoom: 9, animate: false });

  useEffect(() => {
    if (!able) return;
    let gone = false;
    let stop = () => {};
    const loaded = async (made) => {
      SHAPES.forEach((one) => made.addImage(`mark-${one}`, mark(one), { pixelRatio: 1 }));
      stop = effect(() => {
        showAreas(made, [...registry.value.areas.values()], told.current.areas);
        nameRegion(made, language.value);
      });
      made.getSource("incidents").setData(drawn(told.current.features));
      fit(made);
      made.on("moveend", (event) => event.originalEvent && told.current.onMove?.(made.getBounds().toArray().flat()));
      made.on("click", (event) => (told.current.onPick ? told.current.onPick(event.lngLat) : open(made, event.point)));
      made.getCanvas().addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !told.current.onPick) return;
        event.preventDefault();
        told.current.onPick(made.getCenter());
      });
      setCredit(await addRegion(made, "ground", colour).catch((error) => (console.warn("map", error.message), "")));
      if (gone) return;
      setReady(true);
      if (able === "full" && (await isSlow(made)) && !gone) setAble("simple");
    };
    setReady(false);
    start(box.current, able).then(
      (made) => {
        if (gone) return made.remove();
        map.current = made;
        made.on("error", (event) => console.warn("map", event.error?.message));
        made.on("load", () => loaded(made));
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

  const open = async (made, point) => {
    const near = made.queryRenderedFeatures([[point.x - 8, point.y - 8], [point.x + 8, point.y + 8]], { layers: ["marks", ...(able === "simple" ? ["clusters"] : [])] });
    const cluster = near.find((one) => one.properties.cluster);
    if (!cluster) return setPicked(near.length ? near.slice(0, 8).map((one) => one.properties) : null);
    made.jumpTo({ center: cluster.geometry.coordinates, zoom: await made.getSource("incidents").getClusterExpansionZoom(cluster.properties.cluster_id) });
  };

  useEffect(() => {
    if (!ready || redraw.current) return;
    redraw.current = setTimeout(() => {
      redraw.current = 0;
      map.current?.getSource("incidents")?.setData(drawn(told.current.features));
    }, REDRAW_MS[able]);
  }, [features, ready]);
  // Of a place that was chosen elsewhere, the map shows where it is.
  const chosen = onPick ? features[0]?.geometry.coordinates.join() : "";
  useEffect(() => {
    if (ready && chosen && !map.current.getBounds().contains(features[0].geometry.coordinates)) fit(map.current);
  }, [chosen, ready]);

  const name = onPick ? t("desk.map.pick") : t("desk.map.name", { incidents: n("desk.list.shown", features.length) });
  useEffect(() => {
    map.current?.getCanvas().setAttribute("aria-label", name);
  }, [name, ready]);
  if (!able || failed) return html`<p class="note" id="map">${t(onPick ? "desk.map.none_pick" : "desk.map.none")}</p>`;
  return html`<div class="map-frame"><div class=${`map-box ${onPick ? "picking" : ""}`}><div id="map" ref=${box} class=${`map ${small ? "small" : ""}`} data-ready=${ready} data-able=${able}></div></div>
    ${onPick && html`<p class="quiet"><small>${t("desk.map.pick_how")}</small></p>`}
    ${able === "simple" && html`<p class="quiet"><small>${t("desk.map.simple")}</small></p>`}
    <ul class="legend">${!onPick && SHAPES.slice(0, 4).map((one) => html`<li class=${`verdict-mark ${one} plain`}><small>${capital(term("verdict", one))}</small></li>`)}<li class="credit"><small>${t("desk.map.credit")}${credit && html`${t("desk.comma")}<bdi>${credit}</bdi>`}</small></li></ul>
    ${picked && html`<ul class="linked" role="status">${picked.map((one) => html`<li><${IncidentLink} id=${one.id}>${capital(term("act", one.act))}</${IncidentLink}> <small>${one.verdict === "none" ? t("desk.not_assessed") : term("verdict", one.verdict)}${t("desk.comma")}${t("desk.incident.radius", { km: number(one.radius) })}</small></li>`)}</ul>`}
  </div>`;
}

async function start(container, able) {
  const [library, { WORKER, loadScript, loadStyle }] = await Promise.all([import(`${base}vendor/maplibre-gl.mjs`), import("./trusted.js")]);
  await Promise.all([loadScript("pmtiles.js"), loadStyle("maplibre-gl.css")]);
  library.setWorkerUrl(WORKER);
  addProtocol(library);
  const simple = able === "simple";
  const map = new library.Map({
    container,
    style: style(simple),
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    maxZoom: 14,
    renderWorldCopies: false,
    ...(simple ? { pixelRatio: 1, fadeDuration: 0 } : {}),
    locale: { "Map.Title": t("desk.map.title"), "NavigationControl.ZoomIn": t("desk.map.in"), "NavigationControl.ZoomOut": t("desk.map.out") },
  });
  map.addControl(new library.NavigationControl({ showCompass: false }), language.value === "ar" ? "top-left" : "top-right");
  map.touchZoomRotate.disableRotation();
  return map;
}

// Whether the first frames take longer than people bear; a page that is not shown draws none.
async function isSlow(map) {
  const began = performance.now();
  for (let frame = 0; frame < FRAMES; frame += 1) {
    if (document.hidden) return false;
    map.triggerRepaint();
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - began > FRAMES * SLOW_FRAME_MS;
}

function showAreas(map, areas, chosen) {
  const outlined = areas.filter((one) => one.geometry);
  map.getSource("areas")?.setData({ type: "FeatureCollection", features: outlined.map(({ id, geometry }) => ({ type: "Feature", properties: { chosen: chosen.includes(id) }, geometry })) });
  const points = outlined.map((one) => [areaName(one.id), middle(one.geometry)]).filter(([, point]) => point);
  map.getSource("names")?.setData({ type: "FeatureCollection", features: points.map(([name, coordinates]) => ({ type: "Feature", properties: { name }, geometry: { type: "Point", coordinates } })) });
}

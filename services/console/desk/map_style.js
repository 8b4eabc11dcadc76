// How incidents are drawn: a place as the circle of its radius, a verdict by colour and by shape.
import { WORLD } from "./basemap.js";

export const SHAPES = ["violation", "undetermined", "excluded", "not_covered", "none"];
const COLOURS = { violation: "bad", undetermined: "warn", excluded: "quiet", not_covered: "quiet", none: "quiet" };
// Metres to a pixel at zoom 0 on the equator, with tiles of 512 pixels.
const METRES = 78271.517;
const DEGREE_KM = 111.32;

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// The shape of a verdict as an image.
export function mark(verdict) {
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

const empty = () => ({ type: "FeatureCollection", features: [] });
const text = (field, size) => ({ "text-field": field, "text-font": ["sans-serif"], "text-size": size });

// ``clustered``: near marks are one circle with their number.
export function style(clustered) {
  const one = ["!", ["has", "point_count"]];
  const byVerdict = ["match", ["get", "verdict"], "violation", colour("bad"), "undetermined", colour("warn"), colour("quiet")];
  const violations = { violations: ["+", ["case", ["==", ["get", "verdict"], "violation"], 1, 0]] };
  return {
    version: 8,
    sources: {
      base: { type: "vector", url: WORLD },
      areas: { type: "geojson", data: empty() },
      names: { type: "geojson", data: empty() },
      incidents: { type: "geojson", data: empty(), ...(clustered ? { cluster: true, clusterRadius: 36, clusterMaxZoom: 11, clusterProperties: violations } : {}) },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": colour("sea") } },
      { id: "land", type: "fill", source: "base", "source-layer": "land", paint: { "fill-color": colour("land"), "fill-antialias": false } },
      { id: "borders", type: "line", source: "base", "source-layer": "borders", paint: { "line-color": colour("field"), "line-width": 1 } },
      { id: "ground", type: "fill", source: "areas", filter: ["==", ["get", "chosen"], true], paint: { "fill-color": colour("accent"), "fill-opacity": 0.12 } },
      { id: "areas", type: "line", source: "areas", paint: { "line-color": ["case", ["==", ["get", "chosen"], true], colour("accent"), colour("quiet")], "line-width": ["case", ["==", ["get", "chosen"], true], 1.6, 0.8], "line-dasharray": [3, 2] } },
      { id: "uncertain", type: "circle", source: "incidents", filter: one, paint: { "circle-radius": ["interpolate", ["exponential", 2], ["zoom"], 0, ["get", "px"], 22, ["*", ["get", "px"], 2 ** 22]], "circle-color": byVerdict, "circle-opacity": 0.08, "circle-stroke-width": 1, "circle-stroke-opacity": 0.5, "circle-stroke-color": byVerdict } },
      { id: "names", type: "symbol", source: "names", layout: { ...text(["get", "name"], 12), "text-max-width": 8 }, paint: { "text-color": colour("ink"), "text-halo-color": colour("land"), "text-halo-width": 1.4 } },
      { id: "marks", type: "symbol", source: "incidents", filter: one, layout: { "icon-image": ["concat", "mark-", ["get", "verdict"]], "icon-size": 0.7, "icon-allow-overlap": true } },
      ...(clustered ? [
        { id: "clusters", type: "circle", source: "incidents", filter: ["has", "point_count"], paint: { "circle-radius": ["step", ["get", "point_count"], 12, 10, 15, 100, 19, 1000, 24], "circle-color": colour("card"), "circle-stroke-width": 3, "circle-stroke-color": ["case", [">", ["get", "violations"], 0], colour("bad"), colour("quiet")] } },
        { id: "counts", type: "symbol", source: "incidents", filter: ["has", "point_count"], layout: { ...text(["get", "point_count_abbreviated"], 12), "text-allow-overlap": true }, paint: { "text-color": colour("ink") } },
      ] : []),
    ],
  };
}

const isPoint = (one) => one.geometry?.type === "Point";

// As they are drawn: the radius in pixels at zoom 0.
export const drawn = (features) => ({
  type: "FeatureCollection",
  features: features.filter(isPoint).map((one) => ({ type: "Feature", geometry: one.geometry, properties: { id: one.id, verdict: one.properties.verdict || "none", act: one.properties.act, radius: one.properties.radius, px: ((one.properties.radius || 0) * 1000) / (METRES * Math.cos((one.geometry.coordinates[1] * Math.PI) / 180)) } })),
});

const ringsOf = (geometry) => (geometry?.type === "Polygon" ? [geometry.coordinates[0]] : geometry?.type === "MultiPolygon" ? geometry.coordinates.map((one) => one[0]) : []);

function edgesOf(points) {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) [west, south, east, north] = [Math.min(west, x), Math.min(south, y), Math.max(east, x), Math.max(north, y)];
  return west === Infinity ? null : [[west, south], [east, north]];
}

// Where the name of an area stands.
export function middle(geometry) {
  const edges = edgesOf(ringsOf(geometry).sort((a, b) => b.length - a.length)[0] || []);
  return edges && [(edges[0][0] + edges[1][0]) / 2, (edges[0][1] + edges[1][1]) / 2];
}

// The edges of what is to be seen: incidents with their circles; without any, the chosen areas, else all.
export function bounds(features, areas, chosen) {
  const circles = features.filter(isPoint).flatMap(({ geometry: { coordinates: [x, y] }, properties }) => {
    const reach = Math.max(0.2, (properties.radius || 0) / DEGREE_KM);
    const wide = Math.min(180, reach / Math.max(0.05, Math.cos((y * Math.PI) / 180)));
    return [[x - wide, Math.max(-85, y - reach)], [x + wide, Math.min(85, y + reach)]];
  });
  const edgesOfAreas = (some) => edgesOf(some.flatMap((one) => ringsOf(one.geometry).flat()));
  return edgesOf(circles) || edgesOfAreas(areas.filter((one) => chosen.includes(one.id))) || edgesOfAreas(areas) || [[-20, -30], [60, 60]];
}

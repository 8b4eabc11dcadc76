// The base of the map: land and borders that come with the desk, and over them the operator's own archive of PMTiles.
import { language } from "./i18n.js";

const { basemap, region } = document.documentElement.dataset;
const place = (path) => location.origin + path;
export const WORLD = `pmtiles://${place(basemap)}`;

// Layers of archives by their names in Protomaps, OpenMapTiles and Shortbread, from the bottom up; others are not drawn.
const LAYERS = [
  [/^(earth|land|ocean_land)$/, (colour) => fill(colour("land"))],
  [/^(landuse|landcover|park|sites)$/, (colour) => fill(colour("ok"), 0.06)],
  [/^(water|ocean|water_polygons)$/, (colour) => fill(colour("sea"))],
  [/^(waterway|water_lines|physical_line)$/, (colour) => line(colour("field"), 0.6)],
  [/^buildings?$/, (colour) => fill(colour("line"))],
  [/^(roads|streets|transportation|transit)$/, (colour) => line(colour("field"), ["interpolate", ["linear"], ["zoom"], 6, 0.4, 12, 1, 17, 4])],
  [/^(boundaries|boundary)$/, (colour) => line(colour("field"), 1)],
  [/^(places|place|place_labels)$/, (colour) => label(colour)],
];
const fill = (colour, opacity = 1) => ({ type: "fill", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colour, "fill-opacity": opacity, "fill-antialias": false } });
const line = (colour, width) => ({ type: "line", filter: ["==", ["geometry-type"], "LineString"], paint: { "line-color": colour, "line-width": width } });
const label = (colour) => ({ type: "symbol", filter: ["==", ["geometry-type"], "Point"], layout: { "text-field": nameOf(language.value), "text-font": ["sans-serif"], "text-size": 11, "text-max-width": 8 }, paint: { "text-color": colour("quiet"), "text-halo-color": colour("land"), "text-halo-width": 1.2 } });
const nameOf = (one) => ["coalesce", ["get", `name:${one}`], ["get", `name_${one}`], ["get", "name"]];

let protocol;
export function addProtocol(library) {
  protocol ||= new globalThis.pmtiles.Protocol();
  library.addProtocol("pmtiles", protocol.tile);
}

// Draw the operator's archive under the layer ``below``. Returns whom it has to be attributed to.
export async function addRegion(map, below, colour) {
  if (!region) return "";
  const archive = new globalThis.pmtiles.PMTiles(place(region));
  protocol.add(archive);
  const [header, metadata] = await Promise.all([archive.getHeader(), archive.getMetadata()]);
  const vector = header.tileType === globalThis.pmtiles.TileType.Mvt;
  map.addSource("region", { type: vector ? "vector" : "raster", url: `pmtiles://${place(region)}`, ...(vector ? {} : { tileSize: 256 }) });
  const held = vector ? (metadata.vector_layers || []).map((one) => one.id) : [];
  const layers = vector ? LAYERS.flatMap(([name, draw]) => held.filter((one) => name.test(one)).map((one) => ({ ...draw(colour), "source-layer": one }))) : [{ type: "raster" }];
  layers.forEach((one) => map.addLayer({ id: `region-${one["source-layer"] || "image"}`, source: "region", ...one }, below));
  map.setMaxZoom(Math.min(18, Math.max(map.getMaxZoom(), header.maxZoom + 2)));
  return plain(metadata.attribution || metadata.name || "");
}

// An attribution is HTML in an archive; here it is text.
const plain = (text) => String(text).replace(/<[^>]*>/g, "").replaceAll("&copy;", "©").replaceAll("&amp;", "&").trim().slice(0, 200);

// The names of the archive's places in the reader's language.
export function nameRegion(map, one) {
  for (const layer of map.getStyle().layers) if (layer.source === "region" && layer.type === "symbol") map.setLayoutProperty(layer.id, "text-field", nameOf(one));
}

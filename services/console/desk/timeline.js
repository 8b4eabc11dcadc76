// A truce in time: the derived stretches on top, a bar for each issuer's account under it, disputed ones hatched, gaps
// empty, a line for now, violations as ticks. Time runs as the language does.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { clock, dayMonth, language, moment, monthYear, span, t, zone } from "./i18n.js";
import { accountsOf, disputedOf, gapsOf, stretchesOf } from "./windows.js";
import { areaName, partyName } from "./state.js";

const ROW = 22;
const STEPS = [1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 720, 1440, 4320, 8766, 17532, 43830, 87660].map((hours) => hours * 3600000);

const tickName = (at, step) => (step < 86400000 ? clock(at) : step < 30 * 86400000 ? dayMonth(at) : monthYear(at));
const Name = ({ mirrored, width, y, children }) => html`<text x=${mirrored ? width : 0} y=${y} text-anchor=${mirrored ? "end" : "start"} class="axis name">${children}</text>`;

// The stretch of time that is drawn: all that ends, and something on each side.
function extent(windows, now) {
  const starts = windows.map((one) => Date.parse(one.from));
  const ends = windows.map((one) => (one.to ? Date.parse(one.to) : null));
  const first = Math.min(...starts);
  const open = ends.includes(null);
  const known = ends.filter((one) => one !== null);
  let last = Math.max(...known, ...starts);
  if (open || (now > last && now - last < (last - first) / 2)) last = Math.max(now, last);
  const edge = Math.max((last - first) * 0.04, 3600000);
  return [first - edge, last + edge];
}

export function Timeline({ windows, now, small, label, incidents = [] }) {
  const box = useRef();
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.floor(entry.contentRect.width))));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const [from, to] = extent(windows, now);
  const mirrored = language.value === "ar";
  const x = (at) => {
    const share = (Math.min(Math.max(at, from), to) - from) / (to - from);
    return Math.round((mirrored ? 1 - share : share) * width * 10) / 10;
  };
  const bar = (one) => {
    const [start, end] = [x(Date.parse(one.from)), x(one.to ? Date.parse(one.to) : to)];
    return { x: Math.min(start, end), width: Math.max(1.5, Math.abs(end - start)) };
  };
  const accounts = small ? [] : accountsOf(windows);
  const issuers = [...new Set(accounts.map((one) => one.issuer))];
  const stretches = stretchesOf(windows);
  const grounds = [...new Set(stretches.map((one) => one.area))];
  // A row for each area in which something holds, then one for each issuer, each with its name above it.
  const label_height = small ? 0 : 16;
  const row = (small ? 14 : ROW) + label_height + 4;
  const top = (at) => 2 + at * row;
  const height = top(grounds.length + issuers.length) + 24;
  const hatch = useId();
  const step = STEPS.find((one) => (to - from) / one <= width / 90) || STEPS.at(-1);
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) ticks.push(at);
  return html`<figure class="timeline" ref=${box}>
    <svg width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="img" aria-label=${t("desk.timeline", { name: label, span: span(new Date(from).toISOString(), new Date(to).toISOString()) })}>
      <defs><pattern id=${hatch} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" class="disputed-ground" /><line x1="1" y1="0" x2="1" y2="6" class="hatch-line" /></pattern></defs>
      ${ticks.map((at) => html`<g><line x1=${x(at)} x2=${x(at)} y1="0" y2=${height - 18} class="grid" /><text x=${x(at)} y=${height - 4} text-anchor="middle" class="axis">${tickName(at, step)}</text></g>`)}
      ${grounds.map((area, at) => html`<g>${!small && html`<${Name} ...${{ mirrored, width, y: top(at) + 12 }}>${areaName(area)}</${Name}>`}
        ${stretches.filter((one) => one.area === area).map((one) => html`<rect ...${bar(one)} y=${top(at) + label_height} height=${row - label_height - 4} class=${one.disputed ? "bar disputed" : "bar"} style=${one.disputed ? { fill: `url(#${hatch})` } : {}}><title>${span(one.from, one.to)}, ${areaName(one.area)}${one.disputed ? `, ${t("console.disputed")}` : ""}</title></rect>`)}</g>`)}
      ${issuers.map((issuer, at) => html`<g><${Name} ...${{ mirrored, width, y: top(grounds.length + at) + 12 }}>${partyName(issuer)}</${Name}>
        ${accounts.filter((one) => one.issuer === issuer).map((one) => html`<rect ...${bar(one)} y=${top(grounds.length + at) + label_height} height="12" class="bar account"><title>${partyName(issuer)}: ${span(one.from, one.to)}, ${areaName(one.area)}</title></rect>`)}</g>`)}
      ${incidents.map((one) => html`<line x1=${x(Date.parse(one.occurred.from))} x2=${x(Date.parse(one.occurred.from))} y1=${label_height} y2=${top(grounds.length)} class=${`tick ${one.verdict}`} />`)}
      ${now >= from && now <= to && html`<line x1=${x(now)} x2=${x(now)} y1="0" y2=${height - 18} class="now" />`}
    </svg>
    ${!small && html`<figcaption><ul class="plain">
      ${windows.map((one) => html`<li>${t("desk.timeline.window", { span: span(one.from, one.to) })}</li>`)}
      ${gapsOf(windows).map((one) => html`<li>${t("desk.timeline.gap", { span: span(one.from, one.to) })}</li>`)}
      ${disputedOf(windows).map((one) => html`<li>${t("desk.timeline.disputed", { from: moment(one.from), to: one.to ? moment(one.to) : "…" })} <small class="quiet"><bdi>${areaName(one.area)}</bdi></small></li>`)}
    </ul><p class="quiet">${t("desk.zone", { zone })}</p></figcaption>`}
  </figure>`;
}

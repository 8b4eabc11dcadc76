// How it is going: incidents over time by what they are, each chart with its table.
import { useEffect, useRef } from "preact/hooks";
import { get, send, address } from "../api.js";
import { html } from "../html.js";
import { capital, dayMonth, day, language, localInput, number, t, term, withOffset } from "../i18n.js";
import { Periods, readEnd } from "../periods.js";
import { requery } from "../router.js";
import { areaName, partyName, registry, truceName } from "../state.js";
import { Action, Empty, Field, Loading, Page, Scroll, Select, useLoad } from "../ui.js";

const GROUPS = ["verdict", "truce", "party", "area", "act", "severity"];
const PERIODS = ["day", "week", "month"];
const MOST = 8;
const COLOURS = ["--bad", "--accent", "--ok", "--warn", "--extreme", "--moderate", "--quiet", "--ink"];
const WORDS = { truce: truceName, area: areaName, party: partyName };

export default function Charts({ query }) {
  const group = GROUPS.includes(query.group) ? query.group : "verdict";
  const by = PERIODS.includes(query.by) ? query.by : "day";
  const [found, problem] = useLoad(async (signal) => {
    const period = query.from || query.to ? { from: query.from, to: query.to } : await newest(signal);
    const asked = { ...period, by, group, truce: query.truce, verdict: query.verdict };
    return { asked, ...(await get("/v1/statistics", asked, { signal, fresh: true })) };
  }, [group, by, query.from, query.to, query.truce, query.verdict]);
  const nameOf = (key) => capital((WORDS[group] || ((one) => term(group, one)))(key));
  const at = (name) => (event) => requery({ [name]: event.target.value ? withOffset(event.target.value) : "" });
  return html`<${Page} name=${t("desk.nav.charts")}>
    <${Periods} truce=${query.truce} />
    <div class="filter-grid">
      <${Field} label=${t("desk.charts.group")}><${Select} value=${group} options=${GROUPS.map((one) => [one, t(one === "severity" ? "field.severity" : `desk.filter.${one}`)])} onChange=${(value) => requery({ group: value })} /></${Field}>
      <${Field} label=${t("desk.charts.by")}><${Select} value=${by} options=${PERIODS.map((one) => [one, t(`desk.charts.${one}`)])} onChange=${(value) => requery({ by: value })} /></${Field}>
      <${Field} label=${t("desk.filter.truce")}><${Select} value=${query.truce || ""} options=${[["", t("desk.filter.any")], ...[...registry.value.truces.keys()].map((one) => [one, truceName(one)])]} onChange=${(value) => requery({ truce: value })} /></${Field}>
      <${Field} label=${t("desk.filter.from")}><input type="datetime-local" value=${query.from ? localInput(query.from) : ""} onChange=${at("from")} /></${Field}>
      <${Field} label=${t("desk.filter.to")}><input type="datetime-local" value=${query.to ? localInput(query.to) : ""} onChange=${at("to")} /></${Field}>
    </div>
    ${!found ? html`<${Loading} problem=${problem} />` : found.series.length === 0 ? html`<${Empty}>${t("desk.live.none")}</${Empty}>` : html`
      <${Plot} series=${found.series.slice(0, MOST)} nameOf=${nameOf} by=${by} />
      <${Table} series=${found.series} nameOf=${nameOf} />
      <p class="actions"><${Action} run=${() => save(found.asked)}>CSV</${Action}></p>`}
  </${Page}>`;
}

// The last thirty days of what is stored.
async function newest(signal) {
  const { end } = await readEnd(signal);
  return { from: new Date(end - 30 * 86400000).toISOString() };
}

async function save(asked) {
  const answer = await send(address("/v1/statistics", asked), { headers: { accept: "text/csv" } });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await answer.blob()), download: "statistics.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function Plot({ series, nameOf, by }) {
  const box = useRef();
  useEffect(() => {
    let chart;
    let gone = false;
    const element = box.current;
    const times = [...new Set(series.flatMap((one) => one.points.map((point) => Date.parse(point.at) / 1000)))].sort((a, b) => a - b);
    const values = series.map((one) => {
      const at = new Map(one.points.map((point) => [Date.parse(point.at) / 1000, point.incidents]));
      return times.map((time) => at.get(time) ?? 0);
    });
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(name).trim();
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
    let stop = () => {};
    import("../trusted.js").then(async ({ loadScript, loadStyle }) => {
      await Promise.all([loadScript("uPlot.iife.min.js"), loadStyle("uPlot.min.css")]);
      if (gone) return;
      const size = () => ({ width: Math.max(240, element.clientWidth), height: 300 });
      chart = new globalThis.uPlot(
        {
          ...size(),
          legend: { show: false },
          scales: { y: { range: (_, low, high) => [0, Math.max(1, high)] } },
          series: [{}, ...series.map((_, at) => ({ stroke: colour(COLOURS[at]), width: 2, dash: at % 2 ? [6, 3] : undefined, points: { show: true, size: 6, fill: colour(COLOURS[at]) } }))],
          axes: [{ ...axis, values: (_, splits) => splits.map((one) => dayMonth(one * 1000)), space: 70 }, { ...axis, values: (_, splits) => splits.map((one) => (Number.isInteger(one) ? number(one) : "")) }],
        },
        [times, ...values],
        element,
      );
      const watch = new ResizeObserver(() => chart.setSize(size()));
      watch.observe(element);
      stop = () => watch.disconnect();
    }, () => {});
    return () => {
      gone = true;
      stop();
      chart?.destroy();
    };
  }, [JSON.stringify(series), by, language.value]);
  return html`<figure><div class="chart" ref=${box} role="img" aria-label=${t("desk.charts.name", { by: t(`desk.charts.${by}`) })} dir="ltr"></div>
    <figcaption><ul class="legend">${series.map((one, at) => html`<li class="swatch" style=${{ color: `var(${COLOURS[at]})` }}><small><bdi>${nameOf(one.key)}</bdi></small></li>`)}</ul></figcaption></figure>`;
}

const range = (one) => (one.min === one.max ? number(one.min) : `${number(one.min)}–${number(one.max)}`);

function Table({ series, nameOf }) {
  const rows = series.flatMap((one) => one.points.map((point) => ({ key: one.key, ...point }))).sort((a, b) => b.at.localeCompare(a.at));
  return html`<details open><summary>${t("desk.charts.table")}</summary><${Scroll} label=${t("desk.charts.table")}><table><thead><tr><th scope="col">${t("desk.deliveries.when")}</th><th scope="col">${t("desk.silences.what")}</th><th scope="col">${t("desk.nav.incidents")}</th><th scope="col">${t("desk.count.killed")}</th><th scope="col">${t("desk.count.injured")}</th></tr></thead>
    <tbody>${rows.slice(0, 200).map((one) => html`<tr><td>${day(one.at)}</td><th scope="row"><bdi>${nameOf(one.key)}</bdi></th><td>${number(one.incidents)}</td><td>${range(one.killed)}</td><td>${range(one.injured)}</td></tr>`)}</tbody></table></${Scroll}>
    <p class="quiet">${t("desk.charts.claims")}</p></details>`;
}

// Periods that are asked for often, up to now; of what is long past, up to the newest incident that is stored.
import { get } from "./api.js";
import { html } from "./html.js";
import { t } from "./i18n.js";
import { requery } from "./router.js";
import { Action } from "./ui.js";

const HOUR_MS = 3600000;
export const WEEK_MS = 168 * HOUR_MS;
const LENGTHS = { hour: HOUR_MS, day: 24 * HOUR_MS, week: WEEK_MS };

// ``end``: the moment that periods end at; ``past``: that of the newest incident, where it is older than a week.
export async function readEnd(stop) {
  const newest = (await get("/v1/incidents", { order: "-occurred", limit: 1 }, { signal: stop })).items[0];
  const past = newest && Date.parse(newest.occurred.to) < Date.now() - WEEK_MS ? newest.occurred.to : null;
  return { end: past ? Date.parse(past) : Date.now(), past };
}

// From the first to the last moment of windows; open where one has no end.
export function spanOf(windows) {
  if (windows.length === 0) return {};
  const ends = windows.map((one) => one.to);
  return { from: windows.map((one) => one.from).sort()[0], ...(ends.includes(null) ? {} : { to: ends.sort().at(-1) }) };
}

export function Periods({ truce }) {
  const last = (length) => async () => requery({ from: new Date((await readEnd()).end - length).toISOString(), to: "" });
  const whole = async () => requery({ from: "", to: "", ...spanOf(await get(`/v1/truces/${encodeURIComponent(truce)}/windows`)) });
  return html`<div class="periods" role="group" aria-label=${t("desk.period")}>
    ${Object.entries(LENGTHS).map(([name, length]) => html`<${Action} run=${last(length)}>${t(`desk.period.${name}`)}</${Action}>`)}
    ${truce && html`<${Action} run=${whole}>${t("desk.period.truce")}</${Action}>`}</div>`;
}

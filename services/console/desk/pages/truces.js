// All truces: what is in force now, since when, until when.
import { all, get } from "../api.js";
import { html } from "../html.js";
import { length, named, t } from "../i18n.js";
import { to } from "../router.js";
import { areaName, may, now } from "../state.js";
import { Chip, Empty, Loading, Page, Span, useLoad } from "../ui.js";
import { stateOf } from "../windows.js";
import { Timeline } from "../timeline.js";

export default function Truces() {
  const [truces, problem] = useLoad(async (signal) => {
    const found = await all("/v1/truces");
    return Promise.all(found.map(async (truce) => ({ ...truce, windows: await get(`/v1/truces/${encodeURIComponent(truce.id)}/windows`, {}, { signal }) })));
  }, []);
  return html`<${Page} name=${t("desk.nav.truces")}>
    ${!truces ? html`<${Loading} problem=${problem} />` : truces.length === 0 ? html`<${Empty}>${t(may() ? "desk.truces.none_yet" : "desk.truces.none")}</${Empty}>` : html`<ul class="cards">${truces.map((truce) => html`<li class="card" key=${truce.id}>
      <h2><a href=${to(`/truces/${truce.id}`)}><bdi>${named(truce.name)}</bdi></a></h2>
      <p><${TruceState} windows=${truce.windows} /> <small class="quiet"><bdi>${areaName(truce.area)}</bdi></small></p>
      ${truce.windows.length > 0 && html`<${Timeline} windows=${truce.windows} now=${now.value} small label=${named(truce.name)} />`}
    </li>`)}</ul>`}
  </${Page}>`;
}

export function TruceState({ windows }) {
  const state = stateOf(windows, now.value);
  const left = state.at && length(Math.abs(Date.parse(state.at) - now.value));
  return html`<${Chip} kind=${`truce ${state.kind}`}>${t(`desk.truce.${state.kind}`, { left })}</${Chip}>
    ${state.disputed && html` <${Chip} kind="warn">${t("console.disputed")}</${Chip}>`}
    ${state.window && html` <${Span} from=${state.window.from} until=${state.window.to} />`}`;
}

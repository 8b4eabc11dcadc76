// Parts that all pages are made of.
import { cloneElement } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { capital, language, moment, span, t, term, zone } from "./i18n.js";
import { partyName, title } from "./state.js";
import { to } from "./router.js";

// A page: its title in the window too; the heading takes the focus when the page was opened from another one.
let opened = false;
export function Page({ name, heading, children, actions }) {
  const ref = useRef();
  useEffect(() => {
    title.value = name;
  }, [name]);
  useEffect(() => {
    if (opened) ref.current?.focus({ preventScroll: true });
    opened = true;
  }, []);
  return html`<div class="head"><h1 tabindex="-1" ref=${ref}>${heading || name}</h1>${actions}</div>${children}`;
}

// The outcome of a promise: ``[value, problem, again]``; the value stays while it is asked for anew.
export function useLoad(load, inputs) {
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      (value) => stop.signal.aborted || setState({ value }),
      (problem) => stop.signal.aborted || setState((before) => ({ ...before, problem })),
    );
    return () => stop.abort();
  }, [...inputs, turn, language.value]);
  return [state.value, state.problem, () => setTurn((one) => one + 1)];
}

export const Loading = ({ problem }) => (problem ? html`<${Refusal} problem=${problem} />` : html`<p class="quiet loading" role="status">${t("desk.loading")}</p>`);

// Why something was not done, in words.
export function Refusal({ problem }) {
  if (!problem) return null;
  if (problem.status === undefined) return html`<p class="bad" role="alert">${String(problem)}</p>`;
  if (problem.status === 0) return html`<p class="bad" role="alert">${t("desk.no_answer")}</p>`;
  const said = problem.status === 404 ? t("desk.not_found") : problem.status === 412 ? t("desk.changed_meanwhile") : problem.message;
  return html`<div class="bad" role="alert"><p>${said}</p>
    ${problem.errors.length > 0 && html`<ul>${problem.errors.map((one) => html`<li><code>${one.pointer}</code> <bdi>${one.detail}</bdi></li>`)}</ul>`}
  </div>`;
}

// A time in the registry's zone, with the universal time beside it.
export const Time = ({ at, short }) =>
  at
    ? html`<time datetime=${at} title=${`${moment(at, "UTC")} UTC`}>${moment(at)}${!short && zone !== "UTC" && html` <small class="utc">${moment(at, "UTC")} UTC</small>`}</time>`
    : "–";

export const Span = ({ from, until, short }) => html`<span class="span"><span>${span(from, until)}</span>${!short && zone !== "UTC" && html` <small class="utc">${span(from, until, "UTC")} UTC</small>`}</span>`;

const SHAPES = {
  violation: html`<path d="M7 0 14 7 7 14 0 7z" />`,
  undetermined: html`<circle cx="7" cy="7" r="5.6" class="hollow" /><circle cx="7" cy="7" r="2" />`,
  excluded: html`<path d="M7 1.6 13 12.4H1z" class="hollow" />`,
  not_covered: html`<rect x="2" y="2" width="10" height="10" class="hollow" />`,
};

// A verdict by colour and by shape.
export const Verdict = ({ of, plain }) =>
  html`<span class=${`verdict-mark ${of || "none"} ${plain ? "plain" : ""}`}>
    <svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">${SHAPES[of]}</svg>${capital(of ? term("verdict", of) : t("desk.not_assessed"))}
  </span>`;

export const Chip = ({ kind = "", children }) => html`<span class=${`chip ${kind}`}>${children}</span>`;

export function Parties({ of }) {
  if (!of || of.length === 0) return t("desk.unknown_party");
  return of.map((one, at) => {
    const reported = typeof one === "string" ? one : one.reported;
    const party = typeof one === "string" ? null : one.party;
    const name = party && partyName(party);
    return html`${at > 0 && t("desk.comma")}<bdi>${reported}</bdi>${name && name !== reported && html` <small class="quiet">(<bdi>${name}</bdi>)</small>`}`;
  });
}

// The place in words, its uncertainty too.
export function placeWords(place) {
  if (!place) return t("desk.no_place");
  return place.name || place.place || place.area || (place.lat !== undefined && place.lat !== null ? `${place.lat}, ${place.lon}` : t("desk.no_place"));
}

// A control with its label, and what to know of it.
export function Field({ label, hint, error, children, wide }) {
  const id = useId();
  const told = (hint || error) && `${id}-told`;
  return html`<div class=${`field ${wide ? "wide" : ""}`}>
    <label for=${id}>${label}</label>${cloneElement(children, { id, "aria-describedby": told || undefined })}
    ${told && html`<small id=${told} class=${error ? "bad" : "quiet"}>${error || hint}</small>`}
  </div>`;
}

export const Select = ({ value, options, onChange, ...rest }) => html`<select value=${value} onChange=${(event) => onChange(event.target.value)} ...${rest}>
  ${options.map(([id, text]) => html`<option value=${id} selected=${id === value}>${text}</option>`)}
</select>`;

// A choice that the form reads when it is sent.
export function Pick({ initial = "", ...rest }) {
  const [value, setValue] = useState(initial);
  return html`<${Select} value=${value} onChange=${setValue} ...${rest} />`;
}

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const IncidentLink = ({ id, children }) => html`<a href=${to(`/incidents/${encodeURIComponent(id)}`)}>${children}</a>`;

// A wide table that scrolls by itself, by the keyboard too.
export const Scroll = ({ label, children }) => html`<div class="scroll" role="region" tabindex="0" aria-label=${label}>${children}</div>`;

// A form whose button waits for the answer; ``onSubmit`` throws the problem that is shown.
export function Form({ onSubmit, children, ...rest }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await onSubmit(event);
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return html`<form onSubmit=${submit} aria-busy=${busy} ...${rest}>${children}<${Refusal} problem=${problem} /></form>`;
}

// A button that does one thing and says why it could not.
export function Action({ run, children, kind = "", confirm: asked }) {
  const [problem, setProblem] = useState(null);
  const [sure, setSure] = useState(!asked);
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (busy) return;
    if (!sure) return setSure(true);
    setBusy(true);
    setProblem(null);
    try {
      await run();
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
    setSure(!asked);
  };
  return html`<span class="action"><button type="button" class=${`${kind} ${asked && sure ? "danger" : ""}`} onClick=${press} onBlur=${() => asked && setSure(false)} aria-busy=${busy}>${asked && sure ? asked : children}</button><${Refusal} problem=${problem} /></span>`;
}

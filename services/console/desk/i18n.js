// Words, numbers and times in the reader's language. Sentences come from the one catalogue of the project.
import { signal } from "@preact/signals";

export const LANGUAGES = { en: "English", ar: "العربية", ru: "Русский" };
// Arabic months as in the Levant, digits as in the rest of the page.
const LOCALES = { en: "en-GB", ar: "ar-SY-u-nu-latn", ru: "ru" };
const root = document.documentElement;

export const language = signal(root.lang);
export const zone = root.dataset.zone;
let words = {};
let locale = "en-GB";
let plural = null;
let relative = null;
let kept = new Map();

export const wanted = () => {
  const asked = new URLSearchParams(location.search).get("language");
  if (asked in LANGUAGES) return asked;
  const chosen = localStorage.getItem("language");
  return chosen in LANGUAGES ? chosen : root.lang;
};

export async function speak(chosen) {
  const answer = await fetch(`${root.dataset.base}words/${chosen}.json`);
  words = await answer.json();
  locale = LOCALES[chosen];
  plural = new Intl.PluralRules(locale);
  relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  kept = new Map();
  root.lang = chosen;
  root.dir = chosen === "ar" ? "rtl" : "ltr";
  language.value = chosen;
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));

// The sentence of a key, filled in.
export const t = (key, values = {}) => {
  language.value;
  return key in words ? fill(words[key], values) : key;
};
// The sentence of a number, in the plural form that the language wants.
export const n = (key, count, values = {}) => {
  language.value;
  const forms = words[key] || {};
  return fill(forms[plural.select(count)] || forms.other || key, { ...values, count: number(count) });
};
// A term of the published vocabulary; one that is not known stands for itself.
export const term = (kind, value) => words[`${kind}.${value}`] || value;
export const knows = (key) => key in words;
export const capital = (text) => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);

// A name in the registry: one text, or a text for each language.
export const named = (name) =>
  typeof name === "string" ? name : name ? name[language.value] || name.en || Object.values(name)[0] : "";

export const number = (value) => new Intl.NumberFormat(locale).format(value);
export const percent = (share) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(share);
export const list = (parts) => new Intl.ListFormat(locale, { type: "conjunction" }).format(parts);
export const country = (code) => new Intl.DisplayNames(locale, { type: "region" }).of(code);

function format(options) {
  const key = JSON.stringify(options);
  if (!kept.has(key)) kept.set(key, new Intl.DateTimeFormat(locale, options));
  return kept.get(key);
}

const DAY = { day: "numeric", month: "short", year: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export const moment = (at, timeZone = zone) => format({ ...DAY, ...CLOCK, timeZone }).format(new Date(at));
export const day = (at, timeZone = zone) => format({ ...DAY, timeZone }).format(new Date(at));
export const dayMonth = (at, timeZone = zone) => format({ day: "numeric", month: "short", timeZone }).format(new Date(at));
export const monthYear = (at, timeZone = zone) => format({ month: "short", year: "numeric", timeZone }).format(new Date(at));
export const clock = (at, timeZone = zone) => format({ ...CLOCK, timeZone }).format(new Date(at));
export const seconds = (at, timeZone = zone) => format({ ...CLOCK, second: "2-digit", timeZone }).format(new Date(at));

// From and to in one zone, the day said once where it is the same.
export function span(from, to, timeZone = zone) {
  if (!to) return t("desk.time.since", { start: moment(from, timeZone) });
  if (from === to) return moment(from, timeZone);
  if (startsDay(from, timeZone) && startsDay(to, timeZone)) {
    const last = new Date(new Date(to) - 1);
    return day(from, timeZone) === day(last, timeZone) ? day(from, timeZone) : `${day(from, timeZone)} – ${day(last, timeZone)}`;
  }
  if (day(from, timeZone) === day(to, timeZone)) return `${moment(from, timeZone)}–${clock(to, timeZone)}`;
  return `${moment(from, timeZone)} – ${moment(to, timeZone)}`;
}

const startsDay = (at, timeZone) => {
  const [hour, minute] = new Intl.DateTimeFormat("en-GB", { ...CLOCK, timeZone }).format(new Date(at)).split(":");
  return hour === "00" && minute === "00";
};

// A local time of the registry's zone as forms have it, YYYY-MM-DDTHH:MM.
export function localInput(at, timeZone = zone) {
  const options = { year: "numeric", month: "2-digit", day: "2-digit", ...CLOCK, timeZone };
  const part = Object.fromEntries(new Intl.DateTimeFormat("en-GB", options).formatToParts(new Date(at)).map((p) => [p.type, p.value]));
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}`;
}

// A local time of the registry's zone, as forms have it, with its offset (RFC 3339). Of a time that comes twice, the
// first; one that never comes moves on by the gap.
export function withOffset(local, timeZone = zone) {
  const wall = Date.parse(`${local}Z`);
  const offset = (at) => Date.parse(`${localInput(at, timeZone)}Z`) - Math.floor(at / 60000) * 60000;
  const shift = offset(wall - offset(wall));
  const sign = shift < 0 ? "-" : "+";
  const [hours, minutes] = [Math.floor(Math.abs(shift) / 3600000), Math.abs(shift / 60000) % 60];
  const two = (value) => String(value).padStart(2, "0");
  return `${local}:00${sign}${two(hours)}:${two(minutes)}`;
}

// A length of time in its two largest units.
export function length(milliseconds) {
  const whole = Math.max(0, Math.floor(milliseconds / 1000));
  if (whole < 120) return t("console.span.seconds", { seconds: number(whole) });
  const minutes = Math.floor(whole / 60);
  const parts = { days: Math.floor(minutes / 1440), hours: Math.floor((minutes % 1440) / 60), minutes: minutes % 60 };
  return t(`console.span.${parts.days ? "days" : parts.hours ? "hours" : "minutes"}`, parts);
}

export function ago(at, now = Date.now()) {
  const past = (new Date(at) - now) / 1000;
  const [unit, size] = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]].find(
    ([, one]) => Math.abs(past) >= one,
  ) || ["second", 1];
  return relative.format(Math.trunc(past / size), unit);
}

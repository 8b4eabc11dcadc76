// The differences between two documents of the API, in words.
import { capital, knows, number, span, t, term } from "./i18n.js";
import { areaName, partyName, truceName } from "./state.js";

const NAMES = { location: "field.place", description: "desk.incident.description", claims: "desk.incident.claims", sites: "desk.incident.sites", evidence: "desk.incident.evidence", language: "desk.language" };

// By field, what it was and what it is. Raises nothing: what is not known is shown as it stands.
export function changesOf(before, after) {
  const names = [...new Set([...Object.keys(before || {}), ...Object.keys(after || {})])];
  return names
    .filter((name) => name !== "external_id" && JSON.stringify(before?.[name] ?? null) !== JSON.stringify(after?.[name] ?? null))
    .map((name) => ({ field: fieldName(name), before: words(name, before?.[name]), after: words(name, after?.[name]) }))
    .filter((change) => change.before !== change.after);
}

const fieldName = (name) => (knows(`field.${name}`) ? t(`field.${name}`) : NAMES[name] ? t(NAMES[name]) : capital(name.replaceAll("_", " ")));

function words(name, value) {
  if (value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)) return t("desk.nothing");
  switch (name) {
    case "verdict":
    case "certainty":
    case "severity":
    case "act":
      return term(name, value);
    case "occurred":
      return typeof value === "string" ? span(value, value) : value.date ? value.date : span(value.from, value.to);
    case "place":
    case "location":
      return [value.name || value.place, value.area && areaName(value.area), typeof value.lat === "number" && `${value.lat}, ${value.lon}`, value.radius_km && t("desk.incident.radius", { km: number(value.radius_km) })].filter(Boolean).join(t("desk.comma"));
    case "perpetrators":
    case "targets":
      return value.map((one) => (typeof one === "string" ? partyName(one) : one.party ? partyName(one.party) : one.reported)).join(t("desk.comma"));
    case "truces":
      return value.map(truceName).join(t("desk.comma"));
    case "casualties":
      return ["killed", "injured"].filter((kind) => typeof value[kind] === "number").map((kind) => `${t(`desk.count.${kind}`)}: ${number(value[kind])}`).join(t("desk.comma")) || t("desk.nothing");
    case "source":
      return [value.name, value.grade].filter(Boolean).join(" ");
    case "claims":
      return value.map((one) => t(`desk.claim.${one}`)).join(t("desk.comma"));
    case "sites":
      return value.map((one) => t(`desk.site.${one}`)).join(t("desk.comma"));
    default:
      return plainWords(value);
  }
}

function plainWords(value) {
  if (Array.isArray(value)) return value.map(plainWords).join(t("desk.comma"));
  if (typeof value === "boolean") return t(value ? "desk.yes" : "desk.no");
  if (typeof value === "number") return number(value);
  if (typeof value === "object" && value !== null) return Object.entries(value).map(([name, one]) => `${name.replaceAll("_", " ")}: ${plainWords(one)}`).join(t("desk.comma"));
  return String(value);
}

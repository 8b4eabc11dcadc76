// The reader, the names of the registry, and whether the server answers.
import { computed, signal } from "@preact/signals";
import { all, get, key } from "./api.js";
import { language, named } from "./i18n.js";

const BEAT_MS = 3000;
const ANSWER_MS = 4000;

export const me = signal(null);
export const registry = signal({ truces: new Map(), parties: new Map(), areas: new Map() });
export const status = signal(null);
export const connected = signal(true);
export const title = signal("");
export const now = signal(Date.now());
export const may = (...roles) => me.value !== null && (me.value.role === "operator" || roles.includes(me.value.role));
export const overall = computed(() => (connected.value ? status.value?.status : "lost"));

const byId = (items) => new Map(items.map((one) => [one.id, one]));

export async function meet() {
  me.value = null;
  if (!key.value) return;
  me.value = await get("/v1/keys/self", {}, { fresh: true });
}

// Names of what reports are judged by; asked anew after a change.
export async function readRegistry() {
  const [truces, parties] = await Promise.all([all("/v1/truces"), all("/v1/parties")]);
  registry.value = { ...registry.value, truces: byId(truces), parties: byId(parties) };
  registry.value = { ...registry.value, areas: byId(await all("/v1/areas")) };
}

const nameIn = (kind) => (id) => {
  language.value;
  const found = registry.value[kind].get(id);
  return (found && named(found.name || found.properties?.name)) || id;
};
export const truceName = nameIn("truces");
export const partyName = nameIn("parties");
export const areaName = nameIn("areas");

// The server's pulse: its status, which needs no key. What does not answer in time is not connected.
export async function feelPulse() {
  try {
    const answer = await fetch("/status", { headers: { accept: "application/json" }, signal: AbortSignal.timeout(ANSWER_MS), cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    status.value = await answer.json();
    connected.value = true;
  } catch {
    connected.value = false;
  }
}

export function keepPulse() {
  const beat = async () => {
    await feelPulse();
    setTimeout(beat, BEAT_MS);
  };
  beat();
  setInterval(() => (now.value = Date.now()), 1000);
}

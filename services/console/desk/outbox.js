// Reports that could not be sent yet: kept on this device, sent once each when there is a way. A report's external id is
// made with the report, so that one that arrived although its answer was lost is the same report again.
import { effect, signal } from "@preact/signals";
import { Problem, key, send } from "./api.js";
import { connected, me } from "./state.js";

const PLACE = "outbox";
const read = () => {
  try {
    return JSON.parse(localStorage.getItem(PLACE)) || [];
  } catch {
    return [];
  }
};
export const outbox = signal(read());
let sending = false;

function keep(entries) {
  localStorage.setItem(PLACE, JSON.stringify(entries));
  outbox.value = entries;
}

// Kept for the key's name: nobody else's key sends it.
export const put = (report) => keep([...read(), { name: me.value.name, report, kept_at: new Date().toISOString() }]);
export const drop = (id) => keep(read().filter((one) => one.report.external_id !== id));

const note = (id, problem) => keep(read().map((one) => (one.report.external_id === id ? { ...one, problem } : one)));

export async function sendAll() {
  if (sending || !me.value) return;
  sending = true;
  try {
    for (const one of read().filter((entry) => entry.name === me.value.name && !entry.problem)) {
      try {
        await send("/v1/incidents", { method: "POST", body: one.report });
        drop(one.report.external_id);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (error.status === 0 || error.status >= 500 || error.status === 429 || error.status === 401) return;
        note(one.report.external_id, { message: error.message, errors: error.errors });
      }
    }
  } finally {
    sending = false;
  }
}

// Another tab may have sent what is kept: only one at a time does.
const alone = () => (navigator.locks ? navigator.locks.request(PLACE, sendAll) : sendAll());

export function startOutbox() {
  addEventListener("storage", (event) => event.key === PLACE && (outbox.value = read()));
  addEventListener("online", alone);
  effect(() => {
    if (connected.value && me.value && key.value && outbox.value.length > 0) alone();
  });
}

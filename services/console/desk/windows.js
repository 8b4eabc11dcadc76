// The state of a truce at a moment, by its windows.

const at = (text) => (text ? Date.parse(text) : Infinity);

// ``in_force`` (until ``at``), ``open`` (no end announced), ``gap`` or ``begins`` (until ``at``), ``lapsed`` (since
// ``at``), ``none``.
export function stateOf(windows, now) {
  const sorted = [...windows].sort((a, b) => at(a.from) - at(b.from));
  const current = sorted.find((one) => at(one.from) <= now && now < at(one.to));
  if (current) {
    const disputed = current.stretches.some((one) => one.disputed && at(one.from) <= now && now < at(one.to));
    return { kind: current.to ? "in_force" : "open", at: current.to, window: current, disputed };
  }
  const next = sorted.find((one) => at(one.from) > now);
  const last = sorted.filter((one) => at(one.to) <= now).pop();
  if (next) return { kind: last ? "gap" : "begins", at: next.from, window: next };
  return last ? { kind: "lapsed", at: last.to, window: last } : { kind: "none" };
}

// The gaps between windows.
export function gapsOf(windows) {
  const sorted = [...windows].sort((a, b) => at(a.from) - at(b.from));
  const gaps = [];
  let end = sorted[0]?.to;
  for (const one of sorted.slice(1)) {
    if (end && at(one.from) > at(end)) gaps.push({ from: end, to: one.from });
    if (at(one.to) > at(end)) end = one.to;
  }
  return gaps;
}

export const disputedOf = (windows) => windows.flatMap((one) => one.stretches.filter((stretch) => stretch.disputed));

// Stretches that hold, each once for its time and its area.
export const stretchesOf = (windows) => windows.flatMap((one) => one.stretches);
export const accountsOf = (windows) => windows.flatMap((one) => one.accounts);

// Keys for people who work by the keyboard; they can be turned off (WCAG 2.1.4).
import { signal } from "@preact/signals";
import { go, to } from "./router.js";

export const shortcuts = signal(false);
let before = "";

const move = (step) => {
  const links = [...document.querySelectorAll(".rows .row-link")];
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
};
const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => document.getElementById("search")?.focus(),
  "?": () => (shortcuts.value = true),
  "g l": () => go(to("/")),
  "g m": () => (document.querySelector("#map canvas") || document.querySelector(".map-side button"))?.focus(),
};

export function listenToKeys() {
  addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, select, textarea, dialog, [contenteditable]");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("shortcuts") === "off") return;
    const run = KEYS[before ? `${before} ${event.key}` : event.key];
    before = event.key === "g" && !before ? "g" : "";
    if (!run) return;
    event.preventDefault();
    run();
  });
}

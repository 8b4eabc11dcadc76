// The map, loaded once what it stands beside is there; people who hide it keep it hidden.
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { t } from "./i18n.js";

export default function LateMap(props) {
  const [View, setView] = useState(null);
  useEffect(() => {
    import("./map.js").then((loaded) => setView(() => loaded.default), () => setView(() => () => html`<p class="note">${t("desk.map.none")}</p>`));
  }, []);
  return View ? html`<${View} ...${props} />` : html`<p class="quiet">${t("desk.loading")}</p>`;
}

// Whether the map is shown, and the turn of it: at first where there is room for it.
export function useShown() {
  const [shown, setShown] = useState(() => localStorage.getItem("map") !== "off" && matchMedia("(min-width: 68.75rem)").matches);
  const turn = () => {
    localStorage.setItem("map", shown ? "off" : "on");
    setShown(!shown);
  };
  return [shown, turn];
}

export const MapButton = ({ shown, turn }) => html`<button type="button" aria-expanded=${shown} onClick=${turn}>${t(shown ? "desk.map.hide" : "desk.map.show")}</button>`;

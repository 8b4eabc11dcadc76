// Templates without a build step: htm over Preact's h.
import { Fragment, h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
export { Fragment };

/** A sign for each tone, so that no meaning hangs on colour alone. */

import { draw } from "./dom.js";

const SHAPES = {
  good: "M4 10.5l4 4 8-9",
  bad: "M5 5l10 10M15 5L5 15",
  warn: "M10 4.5v6.5M10 14.5v.6",
  open: "M4.5 10v.1M10 10v.1M15.5 10v.1",
};

/**
 * @param {string} tone "good", "bad", "warn" or "open" (not yet known)
 * @returns {SVGElement}
 */
export function sign(tone) {
  const shape = SHAPES[/** @type {keyof typeof SHAPES} */ (tone)] ?? SHAPES.warn;
  const attributes = { class: `tone ${tone}`, viewBox: "0 0 20 20", width: 20, height: 20 };
  return draw("svg", { ...attributes, "aria-hidden": "true" }, draw("path", { d: shape }));
}

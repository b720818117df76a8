/** The signs of map, charts and legend: a ring where all is usual, a diamond where hit, a sun. */

import { draw } from "./dom.js";

/**
 * @param {boolean} isHit
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @returns {SVGElement}
 */
export function drawSign(isHit, x, y, radius) {
  if (!isHit) return draw("circle", { class: "sign calm", cx: x, cy: y, r: radius });
  // A diamond of the same area as the disc.
  const reach = radius * Math.sqrt(Math.PI / 2);
  const path = `M${x} ${y - reach}L${x + reach} ${y}L${x} ${y + reach}L${x - reach} ${y}Z`;
  return draw("path", { class: "sign hit", d: path });
}

/**
 * @param {boolean} isHit
 * @returns {SVGElement} for the flow of text
 */
export function marker(isHit) {
  const attributes = { class: "marker", viewBox: "0 0 14 14", width: 14, height: 14, role: "img" };
  const label = isHit ? "hit" : "as usual";
  return draw("svg", { ...attributes, "aria-label": label }, drawSign(isHit, 7, 7, 4.4));
}

/**
 * @param {number} x
 * @param {number} y
 * @returns {SVGElement} the point above which the source stands
 */
export function drawSource(x, y) {
  const rays = Array.from({ length: 8 }, (_, at) => {
    const [east, south] = [Math.cos((at * Math.PI) / 4), Math.sin((at * Math.PI) / 4)];
    const ends = [5.5, 9.5].map((reach) => `${x + reach * east} ${y + reach * south}`);
    return `M${ends.join("L")}`;
  });
  const disc = draw("circle", { cx: x, cy: y, r: 3.2 });
  return draw("g", { class: "source" }, disc, draw("path", { d: rays.join("") }));
}

/** @returns {SVGElement} for the flow of text */
export function sourceMarker() {
  const attributes = { class: "marker", viewBox: "0 0 20 20", width: 16, height: 16 };
  return draw("svg", { ...attributes, "aria-hidden": "true" }, drawSource(10, 10));
}

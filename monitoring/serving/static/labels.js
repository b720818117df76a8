/** Finds room for the names on the map: beside, above or below their sign, or, where calm, none. */

import { draw } from "./dom.js";

const CHARACTER_PIXELS = 6.4;
const STRONG_PIXELS = 8.4;
const LINE_PIXELS = 14;
const GAP_PIXELS = 4;

/** @typedef {{ left: number, top: number, right: number, bottom: number }} Box */
/** @typedef {{ x: number, y: number, radius: number, isHit: boolean, strong: string,
 *    text: string }} Named */

/**
 * @param {Named[]} signs the first get the best places
 * @param {{ width: number, height: number, isNarrow: boolean }} room
 * @returns {SVGElement[]}
 */
export function layLabels(signs, room) {
  const boxes = signs.map(boxOfSign);
  /** @type {SVGElement[]} */
  const labels = [];
  for (const sign of signs) {
    const words = room.isNarrow ? [sign.strong] : [sign.strong, sign.text];
    for (const said of choicesOf(words)) {
      const size = sizeOf(said);
      const place = placesOf(sign, size).find(
        (box) => isInside(box, room) && !boxes.some((other) => overlap(box, other)),
      );
      if (!place) continue;
      boxes.push(place);
      labels.push(drawLabel(said, place, sign.isHit));
      break;
    }
  }
  return labels;
}

/**
 * @param {string[]} words the excess, then the name
 * @returns {string[][]} both; where there is no room, the first alone
 */
function choicesOf([strong, text]) {
  const all = [strong ?? "", text ?? ""];
  if (!strong && !text) return [];
  return strong && text ? [all, [strong, ""]] : [all];
}

/**
 * @param {string[]} said
 * @returns {number} width
 */
function sizeOf([strong, text]) {
  const gap = strong && text ? GAP_PIXELS : 0;
  return strong.length * STRONG_PIXELS + gap + text.length * CHARACTER_PIXELS;
}

/**
 * @param {Named} sign
 * @returns {Box}
 */
function boxOfSign({ x, y, radius }) {
  return { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius };
}

/**
 * @param {Named} sign
 * @param {number} width
 * @returns {Box[]} the best first
 */
function placesOf({ x, y, radius }, width) {
  const away = radius * 1.3 + GAP_PIXELS;
  const half = LINE_PIXELS / 2;
  const corners = [
    [x + away, y - half],
    [x - away - width, y - half],
    [x - width / 2, y + away - 2],
    [x - width / 2, y - away - LINE_PIXELS + 2],
    [x + away * 0.6, y + half],
    [x + away * 0.6, y - half - LINE_PIXELS],
    [x - away * 0.6 - width, y + half],
    [x - away * 0.6 - width, y - half - LINE_PIXELS],
  ];
  return corners.map(([left, top]) => ({
    left,
    top,
    right: left + width,
    bottom: top + LINE_PIXELS,
  }));
}

/**
 * @param {Box} box
 * @param {{ width: number, height: number }} room
 * @returns {boolean}
 */
function isInside(box, { width, height }) {
  return box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height;
}

/**
 * @param {Box} one
 * @param {Box} other
 * @returns {boolean}
 */
function overlap(one, other) {
  return (
    one.left < other.right &&
    other.left < one.right &&
    one.top < other.bottom &&
    other.top < one.bottom
  );
}

/**
 * @param {string[]} said
 * @param {Box} box
 * @param {boolean} isHit
 * @returns {SVGElement}
 */
function drawLabel([strong, text], box, isHit) {
  const attributes = { class: isHit ? "label hit" : "label", x: box.left, y: box.bottom - 3 };
  const gap = strong && text ? " " : "";
  return draw("text", attributes, strong && draw("tspan", { class: "strong" }, strong), gap + text);
}

/**
 * Makes elements. Every string becomes a text node, or a plain attribute, whose control characters
 * are shown as their numbers: nothing that a page of the web says can become markup, or reorder
 * the words around it.
 */

import { clean, reveal } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/**
 * @param {Element} element
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : reveal(value));
  }
  element.append(...toNodes(children));
}

/**
 * @param {Child[]} children
 * @returns {Node[]}
 */
function toNodes(children) {
  /** @type {Node[]} */
  const nodes = [];
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    nodes.push(child instanceof Node ? child : document.createTextNode(clean(child)));
  }
  return nodes;
}

/**
 * Makes an HTML element.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/**
 * Makes an SVG element.
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function draw(tag, attributes = {}, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  fill(element, attributes, children);
  return element;
}

/**
 * Replaces what is inside an element.
 * @param {Element} element
 * @param {...Child} children
 */
export function show(element, ...children) {
  element.replaceChildren(...toNodes(children));
}

/**
 * Finds an element of index.html.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function find(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element #${id}`);
  return element;
}

/**
 * Makes a table. Columns whose head ends in a tab are numbers.
 * @param {string} caption
 * @param {string[]} heads
 * @param {Child[][]} rows the first cell of each names the row
 * @returns {HTMLElement}
 */
export function table(caption, heads, rows) {
  const kinds = heads.map((head) => (head.endsWith("\t") ? "number" : null));
  const head = heads.map((name, at) => make("th", { scope: "col", class: kinds[at] }, name.trim()));
  const body = rows.map((cells) =>
    make(
      "tr",
      {},
      ...cells.map((cell, at) =>
        at === 0
          ? make("th", { scope: "row", class: kinds[at] }, cell)
          : make("td", { class: kinds[at] }, cell),
      ),
    ),
  );
  return make(
    "table",
    {},
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

/**
 * The world with the clusters on it: the side that faced the burst's source lit, the point under
 * the source marked with its uncertainty, each cluster by how far it rose above its usual.
 */

import { draw, find, make, show, table } from "./dom.js";
import { clock, count, duration, place, short, times } from "./format.js";
import { layLabels } from "./labels.js";
import { drawSign, drawSource, marker, sourceMarker } from "./marker.js";
import {
  ASPECT,
  circle,
  heightOver,
  hemisphere,
  outline,
  pathOf,
  projectTo,
} from "./projection.js";
import { burstsOf, cut, excessOf, hasCourse } from "./timeline.js";

/** @typedef {import("./projection.js").Point} Point */
/** @typedef {import("./timeline.js").Alarm} Alarm */
/** @typedef {import("./timeline.js").Excess} Excess */

const RADIUS_PIXELS = { least: 3.5, most: 9 };
const NARROW_PIXELS = 520;
const SOURCE_PIXELS = 11;

/**
 * Shows the map and keeps it right.
 * @param {import("./state.js").Store} store
 */
export function showMap(store) {
  const box = find("map");
  /** @type {Promise<Point[][]> | null} */
  let coast = null;
  const update = async () => {
    const { timeline } = store.get();
    const isShown = timeline !== null && hasCourse(timeline) && timeline.clusters.some(isPlaced);
    find("world").hidden = !isShown;
    find("pair").classList.toggle("with-map", isShown);
    if (!isShown) return;
    coast ??= loadCoast();
    const rings = await coast;
    const now = store.get();
    if (now.timeline) drawAll(box, rings, now);
  };
  store.watch(["timeline", "untilSeconds"], update);
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    update();
  }).observe(box);
}

/**
 * @param {import("./timeline.js").Cluster} cluster
 * @returns {boolean}
 */
function isPlaced(cluster) {
  return cluster.latitude !== null && cluster.longitude !== null;
}

/** @returns {Promise<Point[][]>} rings of longitudes and latitudes; none if they cannot be had */
async function loadCoast() {
  try {
    const response = await fetch("static/coastline.json");
    const { unit_degrees: unit, rings } = await response.json();
    return rings.map((/** @type {number[]} */ ring) => unpack(ring, unit));
  } catch {
    return [];
  }
}

/**
 * @param {number[]} ring differences of longitude and latitude in turn
 * @param {number} unit degrees
 * @returns {Point[]}
 */
function unpack(ring, unit) {
  let [x, y] = [0, 0];
  /** @type {Point[]} */
  const points = [];
  for (let at = 0; at < ring.length; at += 2) {
    x += ring[at];
    y += ring[at + 1];
    points.push([x * unit, y * unit]);
  }
  return points;
}

/**
 * @param {HTMLElement} box
 * @param {Point[][]} rings
 * @param {import("./state.js").State} state
 */
function drawAll(box, rings, { timeline, untilSeconds }) {
  if (!timeline) return;
  const shown = cut(timeline, untilSeconds);
  const isCut = shown !== timeline;
  const burst = burstsOf(shown)[0] ?? null;
  const window = isCut ? shown.windows - 1 : null;
  const excess = excessOf(shown, burst, window).filter(({ cluster }) => isPlaced(cluster));
  const isOn = burst !== null && (!isCut || burst.end_seconds === null);
  const source = isOn ? sourceOf(burst) : null;
  const width = Math.max(280, box.clientWidth);
  const label = summary(excess, source);
  const svg = draw("svg", {
    viewBox: `0 0 ${width} ${Math.ceil(width * ASPECT)}`,
    width,
    height: Math.ceil(width * ASPECT),
    role: "img",
    "aria-label": label,
  });
  const project = projectTo(width);
  svg.append(...drawEarth(rings, project, source, burst));
  svg.append(...drawClusters(excess, project, width, source));
  show(box, svg);
  show(find("map-caption"), ...caption(shown, burst, source, window, width < NARROW_PIXELS));
  show(find("map-table"), clusterTable(excess, source));
}

/**
 * @param {Alarm} burst
 * @returns {Point | null}
 */
function sourceOf(burst) {
  if (burst.latitude_degrees === null || burst.longitude_degrees === null) return null;
  return [burst.longitude_degrees, burst.latitude_degrees];
}

/**
 * @param {Point[][]} rings
 * @param {(point: Point) => Point} project
 * @param {Point | null} source
 * @param {Alarm | null} burst
 * @returns {SVGElement[]}
 */
function drawEarth(rings, project, source, burst) {
  const rim = pathOf(outline(), project);
  const land = rings.map((ring) => pathOf(ring, project)).join("");
  const clip = draw("clipPath", { id: "rim" }, draw("path", { d: rim }));
  const parts = [
    draw("defs", {}, clip),
    draw("path", { class: source ? "sea behind" : "sea", d: rim }),
  ];
  if (source) parts.push(draw("path", { class: "lit", d: pathOf(hemisphere(source), project) }));
  parts.push(draw("path", { class: "land", d: land }));
  if (!source || !burst) return parts;
  parts.push(draw("path", { class: "terminator", d: pathOf(hemisphere(source), project) }));
  const radius = burst.uncertainty_degrees ?? 0;
  const d = circle(source, radius)
    .map((ring) => pathOf(ring, project))
    .join("");
  if (radius > 0) parts.push(draw("path", { class: "uncertainty", d, "clip-path": "url(#rim)" }));
  parts.push(drawSource(...project(source)));
  return parts;
}

/**
 * @param {Excess[]} excess
 * @param {(point: Point) => Point} project
 * @param {number} width
 * @param {Point | null} source
 * @returns {SVGElement[]} signs, then labels, so that no sign hides a word
 */
function drawClusters(excess, project, width, source) {
  const most = Math.max(1, ...excess.map(({ cluster }) => cluster.machines));
  const isNarrow = width < NARROW_PIXELS;
  const placed = excess.map((each) => {
    const { cluster, isHit, ratio } = each;
    const [x, y] = project([cluster.longitude ?? 0, cluster.latitude ?? 0]);
    const part = Math.sqrt(cluster.machines / most);
    const radius = Math.max(RADIUS_PIXELS.least, RADIUS_PIXELS.most * part * (isNarrow ? 0.7 : 1));
    const strong = isHit && ratio !== null ? times(ratio) : "";
    return { x, y, radius, isHit, strong, text: cluster.name, tip: tipOf(each) };
  });
  const order = [...placed].sort((one, other) => Number(other.isHit) - Number(one.isHit));
  const [x, y] = source ? project(source) : [0, 0];
  const overhead = {
    x,
    y,
    radius: SOURCE_PIXELS,
    isHit: false,
    strong: "",
    text: "source overhead",
  };
  const room = { width, height: width * ASPECT, isNarrow };
  const labels = layLabels(source ? [overhead, ...order] : order, room);
  const signs = placed.map((each) =>
    draw("g", {}, draw("title", {}, each.tip), drawSign(each.isHit, each.x, each.y, each.radius)),
  );
  return [...signs, ...labels];
}

/**
 * @param {Excess} excess
 * @returns {string}
 */
function tipOf({ cluster, usual, during, isHit, ratio }) {
  const at = `${cluster.name}, ${count(cluster.machines)} machines`;
  if (usual === null) return at;
  if (during === null) return `${at}: usually ${short(usual)} affected`;
  const how = ratio === null ? "" : ` (${times(ratio)})`;
  return `${at}: ${short(usual)} \u2192 ${short(during)} affected${how}${isHit ? ", hit" : ""}`;
}

/**
 * @param {Excess[]} excess
 * @param {Point | null} source
 * @returns {string} the map in words
 */
function summary(excess, source) {
  const hit = excess.filter((each) => each.isHit);
  const names = hit.map(({ cluster, ratio }) =>
    ratio === null ? cluster.name : `${cluster.name} ${times(ratio)}`,
  );
  const from = source ? ` Source above ${place(source[1], source[0])}.` : "";
  const who = hit.length ? `hit: ${names.join(", ")}; the others as usual.` : "all as usual.";
  return `World map of ${count(excess.length)} clusters; ${who}${from}`;
}

/**
 * @param {import("./timeline.js").Timeline} shown
 * @param {Alarm | null} burst
 * @param {Point | null} source
 * @param {number | null} window
 * @param {boolean} isNarrow whether the map had no room for words
 * @returns {(Node | false)[]}
 */
function caption(shown, burst, source, window, isNarrow) {
  const width = shown.window_seconds;
  const all = burst ? "Mean of the burst over each cluster's quiet time." : "";
  const when =
    window === null
      ? all
      : `${clock(window * width)}\u2013${clock((window + 1) * width)} over the quiet time so far.`;
  return [
    make("span", { class: "key" }, marker(true), " hit, with its excess"),
    make("span", { class: "key" }, marker(false), " as usual"),
    ...(source
      ? [
          isNarrow && make("span", { class: "key" }, sourceMarker(), " source overhead"),
          make(
            "span",
            { class: "key" },
            make("i", { class: "swatch lit-key" }),
            " faces the source",
          ),
          make(
            "span",
            { class: "key" },
            make("i", { class: "swatch behind-key" }),
            " behind the Earth",
          ),
        ]
      : []),
    make("span", { class: "key" }, "size: machines"),
    make("span", { class: "said" }, `${source && burst ? whereFrom(source, burst) : ""}${when}`),
  ];
}

/**
 * @param {Point} source
 * @param {Alarm} burst
 * @returns {string}
 */
function whereFrom(source, { uncertainty_degrees: around, detected_seconds, onset_seconds }) {
  const sure = around === null ? "" : `, \u00b1 ${around.toFixed(1)}\u00b0`;
  const late = duration(detected_seconds - onset_seconds);
  return `Source above ${place(source[1], source[0])}${sure}; noticed ${late} after onset. `;
}

/**
 * @param {Excess[]} excess
 * @param {Point | null} source
 * @returns {HTMLElement}
 */
function clusterTable(excess, source) {
  const heads = [
    "cluster",
    "state",
    "place",
    "altitude\t",
    "machines\t",
    "usual\t",
    "then\t",
    "excess\t",
  ];
  if (source) heads.push("source above horizon\t");
  const rows = excess.map(({ cluster, usual, during, ratio, isHit }) => {
    const at = /** @type {Point} */ ([cluster.longitude ?? 0, cluster.latitude ?? 0]);
    const cells = [
      cluster.name,
      isHit ? "hit" : "as usual",
      place(at[1], at[0]),
      cluster.altitude_metres === null ? "\u2013" : `${count(cluster.altitude_metres)} m`,
      count(cluster.machines),
      usual === null ? "\u2013" : short(usual),
      during === null ? "\u2013" : short(during),
      ratio === null ? "\u2013" : times(ratio),
    ];
    if (source)
      cells.push(`${Math.round((Math.asin(heightOver(source, at)) * 180) / Math.PI)}\u00b0`);
    return cells;
  });
  return table("Affected machines per window, by cluster", heads, rows);
}

/**
 * One small chart for each cluster, all on the same scales, so that what rose stands beside what
 * did not; pointing at a time, by mouse or arrow keys, tells the values of all.
 */

import { find, make, show, table } from "./dom.js";
import { clock, count, short, times } from "./format.js";
import { drawChart } from "./chart.js";
import { marker } from "./marker.js";
import { burstsOf, cut, excessOf, EXCESS, hasCourse, spanSeconds } from "./timeline.js";

/** @typedef {import("./timeline.js").Timeline} Timeline */

/** What can be shown, and how it is called. */
export const MEASURES = {
  affected_machines: ["Affected machines", "distinct machines with an error, per window"],
  ecc_corrected: ["Memory errors corrected", "corrected by the machines' own ECC, per window"],
  ecc_uncorrected: ["Memory errors reported", "beyond the machines' own ECC, per window"],
  corrected: ["Records corrected", "single flipped bits put back, per window"],
  retried: ["Records made again", "derived again from their input, per window"],
  dropped: ["Records dropped", "set aside with their bytes, per window"],
  intact: ["Records intact", "arrived as they were sealed, per window"],
};

/**
 * Shows the charts and keeps them right.
 * @param {import("./state.js").Store} store
 */
export function showCharts(store) {
  const grid = find("charts");
  /** @type {ReturnType<typeof drawChart>[]} */
  let charts = [];
  addMeasures(store);
  grid.addEventListener("keydown", (event) => moveCursor(event, store));
  grid.addEventListener("blur", () => store.set({ cursor: null }));
  grid.addEventListener("mouseleave", () => store.set({ cursor: null }));

  store.watch(["timeline", "untilSeconds", "measure", "palette"], (state) => {
    const isShown = hasCourse(state.timeline);
    find("course").hidden = !isShown;
    for (const chart of charts) chart.destroy();
    charts = [];
    if (!isShown || !state.timeline) return;
    charts = showAll(grid, store, state.timeline, cut(state.timeline, state.untilSeconds));
    for (const chart of charts) chart.point(state.cursor);
    showValues(store, cut(state.timeline, state.untilSeconds));
  });
  store.watch(["cursor"], (state) => {
    if (!state.timeline) return;
    for (const chart of charts) chart.point(state.cursor);
    announce(state);
  });
  new ResizeObserver(() => charts.forEach((chart) => chart.fit())).observe(grid);
}

/**
 * @param {HTMLElement} grid
 * @param {import("./state.js").Store} store
 * @param {Timeline} whole
 * @param {Timeline} shown
 * @returns {ReturnType<typeof drawChart>[]}
 */
function showAll(grid, store, whole, shown) {
  const { measure, job } = store.get();
  const burst = burstsOf(shown)[0] ?? null;
  const excess = excessOf(shown, burst, null, measure);
  const order = excess.map((_, at) => at);
  const ratios = excessOf(whole, burstsOf(whole)[0] ?? null, null, EXCESS);
  order.sort((one, other) => (ratios[other].ratio ?? 0) - (ratios[one].ratio ?? 0));
  const highest = highestOf(whole.series[measure] ?? []);
  const spanned = Math.max(spanSeconds(whole), job?.scenario?.duration_seconds ?? 0);
  show(grid);
  return order.map((at) => {
    const box = grid.appendChild(
      make("figure", { class: excess[at].isHit ? "chart hit" : "chart" }),
    );
    const value = make("span", { class: "value" });
    const label = describe(excess[at]);
    box.append(
      make(
        "figcaption",
        {},
        marker(excess[at].isHit),
        make("b", {}, excess[at].cluster.name),
        value,
      ),
    );
    const row = shown.series[measure]?.[at] ?? [];
    return drawChart(
      box,
      { timeline: shown, at, row, highest, spanned },
      (index) => {
        const isIn = index !== null && index < row.length;
        show(value, ...(isIn ? [count(row[index])] : label));
        value.classList.toggle("pointed", isIn);
      },
      (index) => store.set({ cursor: index }),
    );
  });
}

/**
 * @param {number[][]} rows
 * @returns {number} the highest count, at least one
 */
function highestOf(rows) {
  return rows.flat().reduce((highest, value) => Math.max(highest, value), 1);
}

/**
 * @param {import("./timeline.js").Excess} excess
 * @returns {(string | Node)[]} what a small chart has no room for apart
 */
function describe({ usual, during, ratio, isHit }) {
  if (!isHit || during === null) return usual === null ? [] : [`usually ${short(usual)}`];
  const rise = `${short(usual ?? 0)} \u2192 ${short(during)}`;
  if (ratio === null) return [rise];
  return [make("span", { class: "detail" }, `${rise}, `), times(ratio)];
}

/**
 * @param {import("./state.js").Store} store
 */
function addMeasures(store) {
  const box = find("measures");
  for (const [name, [label]] of Object.entries(MEASURES)) {
    const input = /** @type {HTMLInputElement} */ (
      make("input", { type: "radio", name: "measure", value: name, checked: name === EXCESS })
    );
    input.addEventListener("change", () => store.set({ measure: name }));
    box.append(make("label", {}, input, make("span", {}, label)));
  }
}

/**
 * @param {KeyboardEvent} event
 * @param {import("./state.js").Store} store
 */
function moveCursor(event, store) {
  const { timeline, untilSeconds, cursor } = store.get();
  if (!timeline) return;
  const last = cut(timeline, untilSeconds).windows - 1;
  const at = cursor ?? (event.key === "ArrowLeft" ? last + 1 : -1);
  const targets = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
  if (event.key === "Escape") store.set({ cursor: null });
  if (!(event.key in targets)) return;
  event.preventDefault();
  const target = targets[/** @type {keyof typeof targets} */ (event.key)];
  store.set({ cursor: Math.min(last, Math.max(0, target)) });
}

/**
 * Says the time and the highest values at the cursor.
 * @param {import("./state.js").State} state
 */
function announce({ timeline, cursor, measure }) {
  const unit = MEASURES[/** @type {keyof typeof MEASURES} */ (measure)];
  const said = find("pointed");
  if (cursor === null || !timeline) {
    show(said, unit[1]);
    return;
  }
  const values = timeline.clusters.map((cluster, at) => ({
    name: cluster.name,
    value: timeline.series[measure]?.[at]?.[cursor] ?? 0,
  }));
  values.sort((one, other) => other.value - one.value);
  const top = values.slice(0, 3).map(({ name, value }) => `${name} ${count(value)}`);
  const from = cursor * timeline.window_seconds;
  const time = `${clock(from)}\u2013${clock(from + timeline.window_seconds)}`;
  show(said, `${time}: ${top.join(", ")}`);
}

/**
 * Offers the numbers behind the charts as a table, made when it is opened.
 * @param {import("./state.js").Store} store
 * @param {Timeline} shown
 */
function showValues(store, shown) {
  const { measure } = store.get();
  announce(store.get());
  const details = /** @type {HTMLDetailsElement} */ (find("values"));
  const body = details.querySelector("div");
  if (!body) return;
  const [label, unit] = MEASURES[/** @type {keyof typeof MEASURES} */ (measure)];
  const fillTable = () => {
    if (!details.open) return;
    const heads = ["from", ...shown.clusters.map((cluster) => `${cluster.name}\t`)];
    const rows = Array.from({ length: shown.windows }, (_, window) => [
      clock(window * shown.window_seconds),
      ...shown.clusters.map((_cluster, at) => count(shown.series[measure]?.[at]?.[window] ?? 0)),
    ]);
    show(body, table(`${label}: ${unit}`, heads, rows));
  };
  details.ontoggle = fillTable;
  fillTable();
}

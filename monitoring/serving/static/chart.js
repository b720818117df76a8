/** One chart of one cluster: the counts as steps, the alarms shaded, by uPlot. */

import { make } from "./dom.js";
import { clock, count } from "./format.js";
import { readColours } from "./theme.js";
import { alarmsAt } from "./timeline.js";

const HEIGHT_PIXELS = 92;
const AXIS_PIXELS = 18;
const LEFT_PIXELS = 44;
const FONT = "11px system-ui, sans-serif";
const HATCH_PIXELS = 6;

/** @typedef {{ timeline: import("./timeline.js").Timeline, at: number, row: number[],
 *    highest: number, spanned: number }} Course */

/**
 * Draws a chart into a box.
 * @param {HTMLElement} box
 * @param {Course} course
 * @param {(index: number | null) => void} tell called with the window that is pointed at
 * @param {(index: number | null) => void} point called when the mouse points at a window
 */
export function drawChart(box, course, tell, point) {
  const colours = readColours();
  const area = box.appendChild(make("div", { class: "plot", "aria-hidden": "true" }));
  const width = () => Math.max(120, area.clientWidth);
  let isOurs = false;
  const plot = new window.uPlot(
    {
      width: width(),
      height: HEIGHT_PIXELS,
      padding: [6, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: [0, course.spanned] },
        y: { range: [0, course.highest] },
      },
      axes: axesOf(course, colours),
      series: [{}, seriesOf(box.classList.contains("hit"), colours)],
      hooks: {
        drawClear: [(/** @type {any} */ u) => shadeAlarms(u, course, colours)],
        setCursor: [
          (/** @type {any} */ u) => {
            if (isOurs || u.cursor.left === undefined || u.cursor.left < 0) return;
            const seconds = u.posToVal(u.cursor.left, "x");
            const index = Math.floor(seconds / course.timeline.window_seconds);
            point(index < course.row.length ? index : null);
          },
        ],
      },
    },
    dataOf(course),
    area,
  );
  tell(null);

  return {
    destroy: () => plot.destroy(),
    fit: () => plot.setSize({ width: width(), height: HEIGHT_PIXELS }),

    /** @param {number | null} index */
    point(index) {
      isOurs = true;
      const middle = ((index ?? 0) + 0.5) * course.timeline.window_seconds;
      plot.setCursor({ left: index === null ? -10 : plot.valToPos(middle, "x"), top: 0 }, false);
      isOurs = false;
      tell(index);
    },
  };
}

/**
 * @param {Course} course
 * @returns {number[][]} starts of windows and counts; the last count twice, so that its step ends
 */
function dataOf({ timeline, row }) {
  const ends = Array.from({ length: row.length + 1 }, (_, at) => at * timeline.window_seconds);
  return row.length ? [ends, [...row, row[row.length - 1]]] : [[], []];
}

/**
 * @param {boolean} isHit
 * @param {import("./theme.js").Colours} colours
 */
function seriesOf(isHit, colours) {
  return {
    stroke: isHit ? colours.hit : colours.calm,
    fill: isHit ? colours.hitFill : colours.calmFill,
    width: isHit ? 2 : 1.5,
    paths: window.uPlot.paths.stepped({ align: 1 }),
    points: { show: false },
  };
}

/**
 * @param {Course} course
 * @param {import("./theme.js").Colours} colours
 */
function axesOf({ highest, spanned }, colours) {
  const common = { stroke: colours.dim, font: FONT, ticks: { show: false }, gap: 4 };
  const grid = { stroke: colours.line, width: 1 };
  const splits = [0, spanned / 3, (2 * spanned) / 3, spanned];
  return [
    {
      ...common,
      grid: { show: false },
      size: AXIS_PIXELS,
      splits: () => splits,
      values: () => splits.map((at, index) => (index === 3 ? "" : clock(at))),
      align: 1,
    },
    {
      ...common,
      grid,
      size: LEFT_PIXELS,
      splits: () => [0, highest],
      values: () => ["0", count(highest)],
    },
  ];
}

/**
 * Shades the time of each alarm behind the curve: bursts plain, a sick machine's hatched.
 * @param {any} u the uPlot
 * @param {Course} course
 * @param {import("./theme.js").Colours} colours
 */
function shadeAlarms(u, { timeline, at }, colours) {
  const { ctx, bbox } = u;
  for (const alarm of alarmsAt(timeline, timeline.clusters[at].name)) {
    const end = alarm.end_seconds ?? timeline.now_seconds;
    const left = u.valToPos(alarm.onset_seconds, "x", true);
    const right = Math.min(u.valToPos(end, "x", true), bbox.left + bbox.width);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    if (alarm.kind === "burst") {
      ctx.fillStyle = colours.burst;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    } else {
      hatch(ctx, left, right, bbox, colours.dim);
    }
    ctx.restore();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} right
 * @param {{ top: number, height: number }} box
 * @param {string} colour
 */
function hatch(context, left, right, { top, height }, colour) {
  context.strokeStyle = colour;
  context.globalAlpha = 0.5;
  context.beginPath();
  const step = HATCH_PIXELS * window.devicePixelRatio;
  for (let x = left - height; x < right; x += step) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.stroke();
}

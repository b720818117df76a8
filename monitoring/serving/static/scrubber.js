/** Goes through simulated time: a slider over the windows, play and pause, the alarms under it. */

import { draw, find, make, show } from "./dom.js";
import { clock, duration, words } from "./format.js";
import { hasCourse, spanSeconds } from "./timeline.js";

const MILLISECONDS = 1000;
const WINDOWS_A_SECOND = [1, 5, 15];

/**
 * @param {import("./state.js").Store} store
 */
export function showScrubber(store) {
  const slider = /** @type {HTMLInputElement} */ (find("slider"));
  const play = find("play");
  const pace = /** @type {HTMLSelectElement} */ (find("pace"));
  /** @type {number | null} */
  let timer = null;

  const stop = () => {
    if (timer !== null) window.clearTimeout(timer);
    timer = null;
    showPlay(play, false);
  };
  const step = () => {
    const { timeline, untilSeconds } = store.get();
    if (!timeline) return stop();
    const next = (untilSeconds ?? 0) + timeline.window_seconds;
    const isEnd = next >= spanSeconds(timeline);
    store.set({ untilSeconds: isEnd ? null : next });
    if (isEnd) return stop();
    timer = window.setTimeout(step, MILLISECONDS / Number(pace.value));
  };
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    showPlay(play, true);
    step();
  });
  slider.addEventListener("input", () => {
    stop();
    const { timeline } = store.get();
    if (!timeline) return;
    const windows = Number(slider.value);
    const isEnd = windows >= timeline.windows;
    store.set({ untilSeconds: isEnd ? null : windows * timeline.window_seconds });
  });
  store.watch(["name"], stop);
  store.watch(["timeline", "untilSeconds"], (state) => showPosition(slider, state));
  store.watch(["timeline"], ({ timeline }) => {
    showSpans(timeline);
    showPaces(pace, timeline?.window_seconds ?? 1);
  });
}

/**
 * @param {HTMLSelectElement} pace
 * @param {number} windowSeconds
 */
function showPaces(pace, windowSeconds) {
  const chosen = pace.value;
  const options = WINDOWS_A_SECOND.map((windows) => {
    const label = `${duration(windows * windowSeconds)} a second`;
    return make("option", { value: windows, selected: String(windows) === chosen }, label);
  });
  show(pace, ...options);
}

/**
 * @param {HTMLElement} play
 * @param {boolean} isPlaying
 */
function showPlay(play, isPlaying) {
  const shape = isPlaying ? "M3 2h3v10H3zM8 2h3v10H8z" : "M3 1.5v11l9-5.5z";
  const icon = draw("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" });
  icon.append(draw("path", { d: shape }));
  show(play, icon, isPlaying ? "Pause" : "Play");
}

/**
 * @param {HTMLInputElement} slider
 * @param {import("./state.js").State} state
 */
function showPosition(slider, { timeline, untilSeconds }) {
  find("scrubber").hidden = !hasCourse(timeline) || (timeline?.windows ?? 0) < 2;
  if (!timeline) return;
  const all = spanSeconds(timeline);
  const at = untilSeconds ?? all;
  slider.max = String(timeline.windows);
  slider.value = String(Math.round(at / timeline.window_seconds));
  const said = `${clock(at)} of ${clock(all)}`;
  slider.setAttribute("aria-valuetext", `${said}, simulated time`);
  show(find("clock"), make("b", {}, clock(at)), ` of ${clock(all)}`);
}

/**
 * Marks the alarms along the slider.
 * @param {import("./timeline.js").Timeline | null} timeline
 */
function showSpans(timeline) {
  const track = find("spans");
  const all = timeline ? spanSeconds(timeline) : 0;
  if (!timeline || !all) return show(track);
  const spans = timeline.alarms.map((alarm) => {
    const end = Math.min(alarm.end_seconds ?? timeline.now_seconds, all);
    const span = make("i", {
      class: alarm.kind === "burst" ? "burst" : "other",
      title: `${words(alarm.kind)}: ${clock(alarm.onset_seconds)}\u2013${clock(end)}`,
    });
    span.style.left = `${(100 * alarm.onset_seconds) / all}%`;
    span.style.width = `${(100 * Math.max(0, end - alarm.onset_seconds)) / all}%`;
    return span;
  });
  return show(track, ...spans);
}

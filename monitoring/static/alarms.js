/** The alarms as a table: what kind, where, when it began, was noticed and ended, how sure. */

import { find, make, show, table } from "./dom.js";
import { clock, duration, place, short, words } from "./format.js";
import { cut, hasCourse } from "./timeline.js";

/**
 * @param {import("./state.js").Store} store
 */
export function showAlarms(store) {
  store.watch(["timeline", "untilSeconds"], ({ timeline, untilSeconds }) => {
    find("alarms-section").hidden = !hasCourse(timeline);
    if (!timeline) return;
    const { alarms } = cut(timeline, untilSeconds);
    const heads = ["alarm", "when", "noticed after\t", "sure by\t", "clusters, and where from"];
    const rows = alarms.map(rowOf);
    const none = make("p", { class: "dim" }, "No alarm so far.");
    const caption = "Alarms of the burst detector, in simulated time";
    show(find("alarms"), rows.length ? table(caption, heads, rows) : none);
  });
}

/**
 * @param {import("./timeline.js").Alarm} alarm
 * @returns {string[]}
 */
function rowOf(alarm) {
  const { latitude_degrees: latitude, longitude_degrees: longitude } = alarm;
  const around = alarm.uncertainty_degrees;
  const sure = around === null ? "" : ` \u00b1\u00a0${around.toFixed(1)}\u00b0`;
  const isPlaced = latitude !== null && longitude !== null;
  const where = isPlaced ? `; from above ${place(latitude, longitude)}${sure}` : "";
  const names = alarm.clusters.length ? alarm.clusters : [alarm.cluster ?? "all"];
  const [onset, end] = [clock(alarm.onset_seconds), alarm.end_seconds];
  return [
    words(alarm.kind),
    end === null ? `since\u00a0${onset}` : `${onset}\u00a0to\u00a0${clock(end)}`,
    duration(alarm.detected_seconds - alarm.onset_seconds),
    `${short(alarm.significance_sigma)}\u00a0\u03c3`,
    names.join(", ") + where,
  ];
}

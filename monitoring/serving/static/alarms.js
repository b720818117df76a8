/** The alarms as a list: kind, time, how soon noticed, how sure, from where, which clusters. */

import { find, make, show } from "./dom.js";
import { clock, duration, place, short, words } from "./format.js";
import { cut, hasCourse, isWatched } from "./timeline.js";

const UNWATCHED =
  "Alarms are made from the machines' own error counters, and none has counted anything here. " +
  "A scenario has them if it says counters.";

/**
 * @param {import("./state.js").Store} store
 */
export function showAlarms(store) {
  store.watch(["timeline", "untilSeconds"], ({ timeline, untilSeconds }) => {
    find("alarms-section").hidden = !hasCourse(timeline);
    if (!timeline) return;
    const { alarms } = cut(timeline, untilSeconds);
    const why = isWatched(timeline) ? "No alarm so far." : UNWATCHED;
    const none = make("p", { class: "dim" }, why);
    show(find("alarms"), alarms.length ? make("ul", {}, ...alarms.map(itemOf)) : none);
  });
}

/**
 * @param {import("./timeline.js").Alarm} alarm
 * @returns {HTMLElement}
 */
function itemOf(alarm) {
  const { latitude_degrees: latitude, longitude_degrees: longitude } = alarm;
  const around = alarm.uncertainty_degrees;
  const sure = around === null ? "" : ` \u00b1\u00a0${around.toFixed(1)}\u00b0`;
  const isPlaced = latitude !== null && longitude !== null;
  const where = isPlaced ? `From above ${place(latitude, longitude)}${sure}. ` : "";
  const names = alarm.clusters.length ? alarm.clusters : [alarm.cluster ?? "all"];
  const [onset, end] = [clock(alarm.onset_seconds), alarm.end_seconds];
  const when = end === null ? `since ${onset}` : `${onset} to ${clock(end)}`;
  const late = duration(alarm.detected_seconds - alarm.onset_seconds);
  const how = `noticed after ${late}, sure by ${short(alarm.significance_sigma)}\u00a0\u03c3. `;
  const kind = make("b", {}, words(alarm.kind));
  return make(
    "li",
    {},
    kind,
    `, ${when}, ${how}${where}`,
    `${names.length === 1 ? "Cluster" : "Clusters"}: ${names.join(", ")}.`,
  );
}

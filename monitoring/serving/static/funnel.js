/**
 * The ladder at each hop: how many records came intact, corrected, made again, dropped. Bars are
 * logarithmic, since one in a million must show beside the million; numbers and shares stand by.
 */

import { find, make, show } from "./dom.js";
import { count, plural, share, words } from "./format.js";

const RUNGS = [
  ["intact", "intact"],
  ["corrected", "corrected"],
  ["retried", "made again"],
  ["dropped", "dropped"],
];

/**
 * @param {import("./state.js").Store} store
 */
export function showFunnel(store) {
  store.watch(["job"], ({ job }) => {
    if (!job) return;
    const hops = Object.entries(job.hops);
    const decades = Math.max(1, ...hops.map(([, hop]) => decadesOf(hop.records)));
    const most = Math.max(0, ...hops.map(([, hop]) => hop.records));
    find("hops").style.setProperty("--digits", String(count(most).length));
    const cards = hops.map(([name, hop]) => card(name, hop, decades));
    show(
      find("hops"),
      ...cards,
      !hops.length && make("p", { class: "dim" }, "No part is committed yet."),
    );
    show(
      find("hop-scale"),
      hops.length > 0 && `Logarithmic bars: each tick is ten times the one before.`,
    );
    show(find("hop-causes"), ...causes(job));
  });
}

/**
 * @param {number} records
 * @returns {number} how many powers of ten a bar must hold
 */
function decadesOf(records) {
  return Math.ceil(Math.log10(Math.max(1, records)) + 1e-9);
}

/**
 * @param {number} records
 * @param {number} decades of the whole bar
 * @returns {number} percent; one record is seen, none is not
 */
export function barPercent(records, decades) {
  return records ? (100 * (Math.log10(records) + 0.12)) / (decades + 0.12) : 0;
}

/**
 * @param {string} name
 * @param {import("./api.js").Hop} hop
 * @param {number} decades
 * @returns {HTMLElement}
 */
function card(name, hop, decades) {
  const rows = RUNGS.map(([rung, label]) => {
    const records = hop[/** @type {keyof typeof hop} */ (rung)];
    const bar = make("i", { class: `bar ${rung}` });
    bar.style.width = `${barPercent(records, decades)}%`;
    const track = make("span", { class: "track", "aria-hidden": "true" }, bar);
    track.style.setProperty("--decades", String(decades));
    return make(
      "tr",
      { class: records ? null : "none" },
      make("th", { scope: "row" }, label),
      make("td", { class: "bars" }, track),
      make("td", { class: "number" }, make("span", { class: "digits" }, count(records))),
      make(
        "td",
        { class: "number dim" },
        make("span", { class: "share" }, share(records, hop.records)),
      ),
    );
  });
  const caption = make("caption", {}, make("b", {}, name), ` ${plural(hop.records, "record")}`);
  return make("table", { class: "hop" }, caption, make("tbody", {}, ...rows));
}

/**
 * @param {import("./api.js").Job} job
 * @returns {HTMLElement[]} why and how, where there is something to say
 */
function causes(job) {
  const groups = [
    ["Bits corrected, by method", job.corrected_bits],
    ["Attempts again, by reason", job.retry_attempts],
    ["Records dropped, by reason", job.dropped_reasons],
  ];
  return groups.flatMap(([title, numbers]) => {
    const told = Object.entries(numbers).filter(([, number]) => number);
    if (!told.length) return [];
    const words_ = told.map(([name, number]) => `${words(name)} ${count(number)}`).join(", ");
    return [make("dt", {}, String(title)), make("dd", {}, words_)];
  });
}

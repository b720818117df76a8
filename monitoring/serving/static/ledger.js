/** The ledger's verdict, with its meaning and every finding; parts, pages and inputs of the job. */

import { find, make, show, table } from "./dom.js";
import { bytes, count, duration, plural, words } from "./format.js";
import { toneOf } from "./headline.js";
import { sign } from "./signs.js";

const MEANINGS = {
  balanced: "Every record that was sealed is accounted for, by number and by digest.",
  imbalanced: "Records are unaccounted for: this output must not be used.",
  unknown: "Records carried no seals: the counts agree, which proves nothing.",
  open: "The job is not done: records on their way are neither delivered nor lost.",
};
const INPUTS_LISTED = 50;
const HASH_DIGITS = 16;

/**
 * @param {import("./state.js").Store} store
 */
export function showLedger(store) {
  store.watch(["job"], ({ job }) => {
    if (!job) return;
    showVerdict(job);
    showProgress(job);
    showInputs(job);
  });
}

/**
 * @param {import("./api.js").Job} job
 */
function showVerdict(job) {
  const { verdict, findings } = job.ledger;
  const meaning = MEANINGS[/** @type {keyof typeof MEANINGS} */ (verdict)] ?? "";
  const escaped = job.truth?.escaped ?? 0;
  const listed = escaped
    ? [...findings, `${plural(escaped, "simulated fault")} escaped: altered records were used`]
    : findings;
  const box = find("verdict");
  const tone = toneOf(job);
  box.className = `verdict ${tone}`;
  show(
    box,
    sign(tone),
    make(
      "div",
      {},
      make("p", {}, make("b", {}, `Ledger ${verdict}. `), meaning),
      listed.length > 0 && make("ul", {}, ...listed.map((finding) => make("li", {}, finding))),
      !listed.length && make("p", { class: "dim" }, "No findings."),
    ),
  );
}

/**
 * @param {import("./api.js").Job} job
 */
function showProgress(job) {
  const { committed, pending } = job.parts;
  const all = committed + pending;
  const bar = make("progress", { max: Math.max(1, all), value: committed, "aria-label": "parts" });
  const told = `${count(committed)} of ${plural(all, "part")} committed`;
  show(find("parts"), make("p", {}, make("b", {}, told)), bar);
  const rows = job.pages ? pageRows(job.pages) : [];
  if (job.seconds !== null) rows.push(["time taken", duration(job.seconds)]);
  if (job.seed !== null) rows.push(["seed", String(job.seed)]);
  rows.push(
    ["protection", job.protection],
    ["configuration", job.configuration_hash.slice(0, HASH_DIGITS)],
  );
  const list = rows.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value)),
  );
  show(find("pages"), ...list);
}

/**
 * @param {Record<string, any>} pages of summary.json: numbers, or numbers by reason
 * @returns {string[][]}
 */
function pageRows(pages) {
  return Object.entries(pages).map(([name, value]) => {
    if (typeof value === "number") return [`pages ${words(name)}`, count(value)];
    const reasons = Object.entries(/** @type {Record<string, number>} */ (value ?? {}));
    const sum = reasons.reduce((all, [, number]) => all + number, 0);
    const why = reasons.map(([reason, number]) => `${words(reason)} ${count(number)}`).join(", ");
    return [`pages ${words(name)}`, why ? `${count(sum)} (${why})` : count(sum)];
  });
}

/**
 * @param {import("./api.js").Job} job
 */
function showInputs(job) {
  const all = job.inputs.reduce((sum, input) => sum + input.bytes, 0);
  const some = job.inputs.slice(0, INPUTS_LISTED);
  const rows = some.map(({ path, bytes: size }) => [make("bdi", {}, path), bytes(size)]);
  const more = job.inputs.length - some.length;
  if (more > 0) rows.push([make("span", { class: "dim" }, `and ${count(more)} more`), ""]);
  show(find("inputs-count"), `Inputs: ${plural(job.inputs.length, "file")}, ${bytes(all)}`);
  show(find("inputs"), table("Inputs", ["file", "size\t"], rows));
  show(find("command"), job.command);
}

/** What was set aside: how much and why, each thing with its place, and a way to its raw bytes. */

import { ApiError, askQuarantine } from "./api.js";
import { showBytes } from "./bytes_dialog.js";
import { find, make, show, table } from "./dom.js";
import { bytes, count, plural, words } from "./format.js";

const LIMIT = 25;

/**
 * @param {import("./state.js").Store} store
 */
export function showQuarantine(store) {
  let offset = 0;
  let asked = "";

  const load = async () => {
    const { name, job } = store.get();
    if (name === null || !job) return;
    try {
      const page = await askQuarantine(name, offset, LIMIT);
      if (store.get().name === name) showPage(name, page, offset, turn);
    } catch (error) {
      const said = error instanceof ApiError ? error.message : String(error);
      show(find("rows"), make("p", { class: "error", role: "alert" }, said));
    }
  };
  const turn = async (/** @type {number} */ to) => {
    offset = to;
    await load();
    find("rows").focus();
  };
  store.watch(["job"], ({ job }) => {
    if (!job) return;
    showReasons(job);
    const known = `${job.name} ${JSON.stringify(job.set_aside)}`;
    if (known === asked) return;
    asked = known;
    offset = 0;
    load();
  });
}

/**
 * @param {import("./api.js").Job} job
 */
function showReasons(job) {
  const rows = job.set_aside.map(({ stage, reason, records }) => [
    words(stage),
    words(reason),
    count(records),
  ]);
  const none = make("p", { class: "dim" }, "Nothing was set aside.");
  const heads = ["stage", "reason", "records\t"];
  show(find("reasons"), rows.length ? table("Set aside, by stage and reason", heads, rows) : none);
  find("quarantine").hidden = !rows.length;
}

/**
 * @param {string} name of the job
 * @param {{ total: number, rows: import("./api.js").Row[] }} page
 * @param {number} offset
 * @param {(offset: number) => void} turn
 */
function showPage(name, { total, rows }, offset, turn) {
  const heads = [
    "row\t",
    "stage",
    "reason",
    "from file",
    "at byte\t",
    "length\t",
    "attempts\t",
    "bytes",
  ];
  const cells = rows.map((row) => [
    count(row.row),
    words(row.stage),
    words(row.reason),
    make("bdi", { class: "file" }, row.source_file || "\u2013"),
    count(row.source_offset),
    bytes(row.source_length),
    count(row.attempts),
    openButton(name, row),
  ]);
  show(find("rows"), table("Things set aside", heads, cells));
  const last = offset + rows.length;
  const range = total ? `${count(offset + 1)}\u2013${count(last)} of ${count(total)}` : "none";
  show(
    find("pager"),
    pageButton("Previous", offset > 0, () => turn(Math.max(0, offset - LIMIT))),
    make("span", { role: "status" }, range),
    pageButton("Next", last < total, () => turn(offset + LIMIT)),
  );
}

/**
 * @param {string} name
 * @param {import("./api.js").Row} row
 * @returns {HTMLElement}
 */
function openButton(name, row) {
  const label = `Show the bytes of row ${count(row.row)}, ${plural(row.length_bytes, "byte")}`;
  const button = make("button", { type: "button", "aria-label": label }, bytes(row.length_bytes));
  button.addEventListener("click", () => showBytes(name, row));
  return button;
}

/**
 * @param {string} label
 * @param {boolean} isOpen
 * @param {() => void} go
 * @returns {HTMLElement}
 */
export function pageButton(label, isOpen, go) {
  const button = make("button", { type: "button", disabled: !isOpen }, label);
  button.addEventListener("click", go);
  return button;
}

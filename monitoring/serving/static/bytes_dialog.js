/** The raw bytes of one thing in quarantine, by pages, in a dialog that gives the focus back. */

import { ApiError, askBytes } from "./api.js";
import { find, make, show } from "./dom.js";
import { bytes, count, words } from "./format.js";
import { hexLines } from "./hex.js";

const LIMIT = 4096;
const WIDE = "(min-width: 680px)";

/**
 * Opens the dialog.
 * @param {string} name of the job
 * @param {import("./api.js").Row} row
 */
export function showBytes(name, row) {
  const dialog = /** @type {HTMLDialogElement} */ (find("bytes"));
  show(find("bytes-title"), `Row ${count(row.row)}: ${words(row.reason)}, ${words(row.stage)}`);
  show(
    find("bytes-from"),
    make("bdi", {}, row.source_file || "no file"),
    `, ${bytes(row.source_length)} at byte ${count(row.source_offset)}; task `,
    make("bdi", {}, row.task || "\u2013"),
  );
  find("bytes-close").onclick = () => dialog.close();
  dialog.showModal();
  load(name, row, 0);
}

/**
 * @param {string} name
 * @param {import("./api.js").Row} row
 * @param {number} offset
 */
async function load(name, row, offset) {
  const body = find("hex");
  try {
    const piece = await askBytes(name, row.row, offset, LIMIT);
    showPiece(body, piece);
    showPager(name, row, piece);
  } catch (error) {
    const said = error instanceof ApiError ? error.message : String(error);
    show(body, make("span", { class: "error", role: "alert" }, said));
  }
}

/**
 * @param {HTMLElement} body
 * @param {import("./api.js").Piece} piece
 */
function showPiece(body, piece) {
  const lines = hexLines(piece.hex, piece.offset, window.matchMedia(WIDE).matches ? 16 : 8);
  const shown = lines.map(({ offset, digits, text }) =>
    make(
      "div",
      {},
      make("span", { class: "dim" }, offset),
      make("span", { class: "digits" }, digits),
      make("span", { class: "text" }, text),
    ),
  );
  show(body, ...shown, !lines.length && "No bytes were kept.");
  body.scrollTop = 0;
}

/**
 * @param {string} name
 * @param {import("./api.js").Row} row
 * @param {import("./api.js").Piece} piece
 */
function showPager(name, row, { offset, total_bytes: total, hex }) {
  const last = offset + hex.length / 2;
  const previous = /** @type {HTMLButtonElement} */ (find("bytes-previous"));
  const next = /** @type {HTMLButtonElement} */ (find("bytes-next"));
  previous.disabled = offset === 0;
  next.disabled = last >= total;
  previous.onclick = () => load(name, row, Math.max(0, offset - LIMIT));
  next.onclick = () => load(name, row, offset + LIMIT);
  const range = total
    ? `bytes ${count(offset)}\u2013${count(last - 1)} of ${count(total)}`
    : "none";
  show(find("bytes-range"), range);
}

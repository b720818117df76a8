/**
 * Asks the server. An answer that is the same as before is the same object, so that nothing is
 * drawn again for it; a refusal becomes an ApiError that carries the server's own words.
 */

/** @typedef {{ name: string, status: string, scenario: string | null, protection: string,
 *    command: string }} Listed */
/** @typedef {{ records: number, intact: number, corrected: number, retried: number,
 *    dropped: number }} Hop */
/** @typedef {{ name: string, status: string, command: string, configuration_hash: string,
 *    protection: string, seed: number | null, seconds: number | null,
 *    pages: Record<string, any> | null, parts: { pending: number, committed: number },
 *    hops: Record<string, Hop>, corrected_bits: Record<string, number>,
 *    retry_attempts: Record<string, number>, dropped_reasons: Record<string, number>,
 *    ledger: { verdict: string, imbalance_records: number, findings: string[] },
 *    inputs: { path: string, bytes: number }[],
 *    scenario: null | { name: string, acceleration_note: string, duration_seconds: number },
 *    truth: null | { injected: number, escaped: number },
 *    set_aside: { stage: string, reason: string, records: number }[] }} Job */
/** @typedef {{ row: number, stage: string, reason: string, source_file: string,
 *    source_offset: number, source_length: number, task: string, attempts: number,
 *    length_bytes: number }} Row */
/** @typedef {{ row: number, total_bytes: number, offset: number, hex: string }} Piece */

const TIMEOUT_MILLISECONDS = 60_000;
const SILENT =
  "The server does not answer. That of a job (--serve) ends with the job; " +
  "`sealedbeam serve DIR` shows it again.";

/** What the server said when it refused; `status` is 0 when it said nothing. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @type {Map<string, { text: string, value: any }>} */
const last = new Map();

/**
 * @param {string} path below the page's own address
 * @param {Record<string, string | number>} [query]
 * @returns {Promise<any>}
 */
async function ask(path, query = {}) {
  const pairs = Object.entries(query).map(
    ([name, value]) => `${name}=${encodeURIComponent(value)}`,
  );
  const address = pairs.length ? `${path}?${pairs.join("&")}` : path;
  let response;
  let text;
  try {
    response = await fetch(address, {
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
    text = await response.text();
  } catch {
    throw new ApiError(SILENT, 0);
  }
  const value = parse(text, address);
  if (!response.ok)
    throw new ApiError(value.error ?? `${address}: ${response.status}`, response.status);
  const known = last.get(path);
  if (known && known.text === address + text) return known.value;
  last.set(path, { text: address + text, value });
  return value;
}

/**
 * @param {string} text
 * @param {string} address
 * @returns {any}
 */
function parse(text, address) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(`The answer to ${address} is not JSON: is this sealedbeam's server?`, 0);
  }
}

/** @returns {Promise<Listed[]>} */
export async function askJobs() {
  return (await ask("api/jobs")).jobs;
}

/**
 * @param {string} name
 * @returns {Promise<Job>}
 */
export function askJob(name) {
  return ask("api/job", { name });
}

/**
 * @param {string} name
 * @returns {Promise<import("./timeline.js").Timeline>}
 */
export function askTimeline(name) {
  return ask("api/timeline", { name });
}

/**
 * @param {string} name
 * @param {number} offset
 * @param {number} limit
 * @returns {Promise<{ total: number, rows: Row[] }>}
 */
export function askQuarantine(name, offset, limit) {
  return ask("api/quarantine", { name, offset, limit });
}

/**
 * @param {string} name
 * @param {number} row
 * @param {number} offset
 * @param {number} limit
 * @returns {Promise<Piece>}
 */
export function askBytes(name, row, offset, limit) {
  return ask("api/quarantine/bytes", { name, row, offset, limit });
}

/** Turns values into words: numbers with units and separators, times, places, untrusted text. */

const INTEGER = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const LENGTH_MAX = 2000;

// Controls, format characters (zero width, bidi overrides and isolates, tags), line separators,
// halves of surrogate pairs, unassigned and private ones: what is unseen or moves its neighbours.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/**
 * Makes untrusted text harmless to look at: what cannot be seen is written as its number.
 * @param {unknown} value
 * @returns {string}
 */
export function reveal(value) {
  return String(value).replace(UNSEEN, (one) => {
    const code = /** @type {number} */ (one.codePointAt(0)).toString(16).toUpperCase();
    return `\u27e8U+${code.padStart(4, "0")}\u27e9`;
  });
}

/**
 * Does the same, and cuts what would flood the page.
 * @param {unknown} value
 * @returns {string}
 */
export function clean(value) {
  const text = String(value);
  if (text.length <= LENGTH_MAX) return reveal(text);
  return `${reveal(text.slice(0, LENGTH_MAX))}\u2026 (${count(text.length)} characters)`;
}

/**
 * @param {number} value
 * @returns {string} with thousands separators
 */
export function count(value) {
  return INTEGER.format(value);
}

/**
 * @param {number} value
 * @returns {string} three digits, for means
 */
export function short(value) {
  return value >= 1000 ? INTEGER.format(value) : SHORT.format(value);
}

/**
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 * @returns {string} the number and its noun
 */
export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/**
 * @param {number} value
 * @returns {string} such as "×21", "×1.4"
 */
export function times(value) {
  return `\u00d7${value >= 9.5 ? INTEGER.format(value) : value.toFixed(1)}`;
}

/**
 * @param {number} part
 * @param {number} whole
 * @returns {string} percent; what is not nothing never reads 0, what is not all never 100
 */
export function share(part, whole) {
  if (!whole || !part) return "0 %";
  if (part === whole) return "100 %";
  const percent = (100 * part) / whole;
  if (percent < 0.001) return "< 0.001 %";
  if (percent > 99.999) return "> 99.999 %";
  const digits = percent < 0.1 || percent > 99.9 ? 3 : percent < 1 || percent > 99 ? 2 : 1;
  return `${percent.toFixed(digits)} %`;
}

/**
 * @param {number} value
 * @returns {string} such as "12.5 MiB"
 */
export function bytes(value) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let size = value;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  if (unit === 0) return value === 1 ? "1 byte" : `${count(value)} bytes`;
  return `${size.toFixed(size < 100 ? 1 : 0)} ${units[unit]}`;
}

/**
 * @param {number} seconds of simulated time
 * @returns {string} m:ss; h:mm:ss from an hour on; days and h:mm from two days on
 */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  if (hours >= 48) {
    const rest = `${hours % 24}:${two(minutes)}`;
    return `${count(Math.floor(hours / 24))} d${rest === "0:00" ? "" : ` ${rest}`}`;
  }
  if (!hours) return `${minutes}:${two(whole % 60)}`;
  return `${hours}:${two(minutes)}:${two(whole % 60)}`;
}

/**
 * @param {number} seconds
 * @returns {string} such as "10 min", "12.5 s"
 */
export function duration(seconds) {
  if (seconds < 60) return `${SHORT.format(seconds)} s`;
  if (seconds < 3600) return `${SHORT.format(seconds / 60)} min`;
  if (seconds < 172_800) return `${SHORT.format(seconds / 3600)} h`;
  return `${SHORT.format(seconds / 86_400)} d`;
}

/**
 * @param {number} latitude degrees
 * @param {number} longitude degrees
 * @returns {string} such as "31° N 39° W"
 */
export function place(latitude, longitude) {
  const turned = ((((longitude + 180) % 360) + 360) % 360) - 180;
  const north = `${Math.round(Math.abs(latitude))}\u00b0\u00a0${latitude < 0 ? "S" : "N"}`;
  return `${north}\u00a0${Math.round(Math.abs(turned))}\u00b0\u00a0${turned < 0 ? "W" : "E"}`;
}

/**
 * @param {string} name of a value in code, such as "ecc_corrected"
 * @returns {string} in words
 */
export function words(name) {
  return name.replaceAll("_", " ");
}

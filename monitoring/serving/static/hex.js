/** Raw bytes as lines of offset, hexadecimal digits and printable ASCII: a pure function. */

const ASCII = { first: 0x20, last: 0x7e };
const UNSEEN = "\u00b7";

/**
 * @param {string} hex lower-case digits, two for a byte
 * @param {number} offset of the first byte
 * @param {number} perLine bytes
 * @returns {{ offset: string, digits: string, text: string }[]}
 */
export function hexLines(hex, offset, perLine) {
  const lines = [];
  for (let at = 0; at < hex.length; at += 2 * perLine) {
    const pairs = hex.slice(at, at + 2 * perLine).match(/../g) ?? [];
    const text = pairs.map((pair) => printable(parseInt(pair, 16))).join("");
    lines.push({
      offset: (offset + at / 2).toString(16).padStart(8, "0"),
      digits: pairs.join(" ").padEnd(3 * perLine - 1),
      text,
    });
  }
  return lines;
}

/**
 * @param {number} byte
 * @returns {string}
 */
function printable(byte) {
  return byte >= ASCII.first && byte <= ASCII.last ? String.fromCharCode(byte) : UNSEEN;
}

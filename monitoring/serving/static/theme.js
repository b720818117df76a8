/** Light, dark, or as the system has it; the colours of style.css for what draws on a canvas. */

import { find, show } from "./dom.js";

/** @typedef {{ dim: string, line: string, hit: string, hitFill: string, calm: string,
 *    calmFill: string, burst: string }} Colours */

const ORDER = ["auto", "light", "dark"];
const NAMES = {
  dim: "--dim",
  line: "--line",
  hit: "--hit",
  hitFill: "--hit-fill",
  calm: "--calm",
  calmFill: "--calm-fill",
  burst: "--burst",
};

/** @returns {Colours} as they are now */
export function readColours() {
  const probe = document.body.appendChild(document.createElement("i"));
  const read = Object.entries(NAMES).map(([name, variable]) => {
    probe.style.color = `var(${variable})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return /** @type {Colours} */ (Object.fromEntries(read));
}

/**
 * Lets the button go through the choices, and has everything drawn again when colours change.
 * @param {import("./state.js").Store} store
 */
export function showTheme(store) {
  const button = find("theme");
  const repaint = () => store.set({ palette: store.get().palette + 1 });
  button.addEventListener("click", () => {
    const next = ORDER[(ORDER.indexOf(store.get().theme) + 1) % ORDER.length];
    store.set({ theme: next });
  });
  store.watch(["theme"], ({ theme }) => {
    document.documentElement.dataset.theme = theme;
    show(button, `Colours: ${theme}`);
    repaint();
  });
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    window.matchMedia(query).addEventListener("change", repaint);
  }
}

/** Holds what the page shows as one value, and tells those parts whose keys have changed. */

/**
 * @typedef {object} State
 * @property {import("./api.js").Listed[]} jobs
 * @property {string | null} name of the chosen job
 * @property {import("./api.js").Job | null} job
 * @property {import("./timeline.js").Timeline | null} timeline all of it that is known
 * @property {number | null} untilSeconds where the scrubber stands; null at the end
 * @property {string} measure the series in the charts
 * @property {number | null} cursor the window that is pointed at
 * @property {string} theme "auto", "light" or "dark"
 * @property {number} palette counts changes of colours
 */

/** @typedef {ReturnType<typeof makeStore>} Store */

/**
 * @param {State} initial
 */
export function makeStore(initial) {
  let state = initial;
  /** @type {{ keys: (keyof State)[], update: (state: State) => void }[]} */
  const watchers = [];

  return {
    /** @returns {State} */
    get: () => state,

    /**
     * Takes changes over, and calls whoever watches one of them.
     * @param {Partial<State>} changes
     */
    set(changes) {
      const before = state;
      state = { ...state, ...changes };
      for (const { keys, update } of watchers) {
        if (keys.some((key) => before[key] !== state[key])) update(state);
      }
    },

    /**
     * Calls `update` when one of the keys is no longer the same value.
     * @param {(keyof State)[]} keys
     * @param {(state: State) => void} update
     */
    watch(keys, update) {
      watchers.push({ keys, update });
    },
  };
}

/**
 * When to ask again: soon while a job runs, seldom after; later and later while the server is gone;
 * never while nobody looks.
 */

const FIRST_RETRY_MILLISECONDS = 2000;
const LAST_RETRY_MILLISECONDS = 30_000;

/**
 * @param {() => Promise<void>} ask
 * @param {() => number} pause milliseconds until the next time, when all is well
 * @param {(error: unknown, waitMilliseconds: number) => void} onError
 * @returns {{ now: () => void }}
 */
export function startPolling(ask, pause, onError) {
  /** @type {number | undefined} */
  let timer;
  let failures = 0;
  let round = 0;

  const turn = async () => {
    window.clearTimeout(timer);
    round += 1;
    const mine = round;
    let wait;
    try {
      await ask();
      failures = 0;
      wait = pause();
    } catch (error) {
      wait = Math.min(LAST_RETRY_MILLISECONDS, FIRST_RETRY_MILLISECONDS * 2 ** failures);
      failures += 1;
      onError(error, wait);
    }
    if (mine === round && !document.hidden) timer = window.setTimeout(turn, wait);
  };
  document.addEventListener("visibilitychange", () => {
    window.clearTimeout(timer);
    if (!document.hidden) turn();
  });
  turn();
  return { now: turn };
}

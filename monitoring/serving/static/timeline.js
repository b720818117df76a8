/**
 * What the counts over time say, as pure functions: cutting at a time, what is usual for a cluster,
 * how far a burst raised it.
 */

/** @typedef {{ name: string, latitude: number | null, longitude: number | null,
 *    altitude_metres: number | null, machines: number }} Cluster */
/** @typedef {{ kind: string, cluster: string | null, onset_seconds: number,
 *    detected_seconds: number, end_seconds: number | null, significance_sigma: number,
 *    amplitude: number | null, latitude_degrees: number | null, longitude_degrees: number | null,
 *    uncertainty_degrees: number | null, clusters: string[] }} Alarm */
/** @typedef {{ window_seconds: number, windows: number, now_seconds: number,
 *    replay: null | { pace: number }, clusters: Cluster[],
 *    series: Record<string, number[][]>, alarms: Alarm[] }} Timeline */
/** @typedef {{ cluster: Cluster, usual: number | null, during: number | null,
 *    ratio: number | null, isHit: boolean }} Excess */

/** What the excess of a cluster is measured in. */
export const EXCESS = "affected_machines";
const SURE_SIGMA = 4;
// Below one in a window a ratio says nothing; below ten a median is too coarse.
const FEW = 1;
const MANY = 10;

/**
 * Returns what was known at a time: no later window, no alarm raised later, no end foreseen.
 * @param {Timeline} timeline
 * @param {number | null} untilSeconds null for all
 * @returns {Timeline}
 */
export function cut(timeline, untilSeconds) {
  if (untilSeconds === null || untilSeconds >= spanSeconds(timeline)) return timeline;
  const windows = Math.floor(untilSeconds / timeline.window_seconds);
  const series = Object.fromEntries(
    Object.entries(timeline.series).map(([name, rows]) => [
      name,
      rows.map((row) => row.slice(0, windows)),
    ]),
  );
  const alarms = timeline.alarms
    .filter((alarm) => alarm.detected_seconds <= untilSeconds)
    .map((alarm) =>
      alarm.end_seconds !== null && alarm.end_seconds > untilSeconds
        ? { ...alarm, end_seconds: null }
        : alarm,
    );
  return { ...timeline, windows, now_seconds: untilSeconds, series, alarms };
}

/**
 * @param {Timeline} timeline
 * @returns {number} how much time its windows cover
 */
export function spanSeconds(timeline) {
  return timeline.windows * timeline.window_seconds;
}

/**
 * @param {Timeline | null} timeline
 * @returns {boolean} whether there is a course of time to show
 */
export function hasCourse(timeline) {
  return timeline !== null && (timeline.windows > 1 || timeline.replay !== null);
}

/**
 * @param {Timeline} timeline
 * @returns {boolean} whether machines counted errors of their memory, which alarms are made from
 */
export function isWatched(timeline) {
  const series = ["ecc_corrected", "ecc_uncorrected"].map((name) => timeline.series[name] ?? []);
  return timeline.alarms.length > 0 || series.flat(2).some((value) => value > 0);
}

/**
 * @param {Timeline} timeline
 * @returns {Alarm[]} the bursts, the surest first
 */
export function burstsOf(timeline) {
  return timeline.alarms
    .filter((alarm) => alarm.kind === "burst")
    .sort((one, other) => other.significance_sigma - one.significance_sigma);
}

/**
 * @param {Timeline} timeline
 * @param {string} name of a cluster
 * @returns {Alarm[]} the alarms in whose time its counts are not usual
 */
export function alarmsAt(timeline, name) {
  return timeline.alarms.filter(
    (alarm) => alarm.kind === "burst" || alarm.cluster === name || alarm.clusters.includes(name),
  );
}

/**
 * @param {Alarm} alarm
 * @param {number} seconds
 * @param {number} width
 * @returns {boolean} whether it touches the window that starts there
 */
function touches(alarm, seconds, width) {
  return alarm.onset_seconds < seconds + width && (alarm.end_seconds ?? Infinity) > seconds;
}

/**
 * @param {Alarm} alarm
 * @param {number} seconds
 * @param {number} width
 * @returns {boolean} whether the window that starts there lies in it wholly
 */
function covers(alarm, seconds, width) {
  return alarm.onset_seconds <= seconds && (alarm.end_seconds ?? Infinity) >= seconds + width;
}

/**
 * @param {number[]} values
 * @returns {number | null}
 */
function mean(values) {
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}

/**
 * @param {number[]} values of quiet windows
 * @returns {number | null} their median, which no overlooked alarm moves; the mean of small counts
 */
function usualOf(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return median >= MANY ? median : mean(values);
}

/**
 * Compares each cluster in the burst, or in one window, with its own quiet time.
 * @param {Timeline} timeline
 * @param {Alarm | null} burst null: nothing is hit
 * @param {number | null} window look at this one alone
 * @param {string} [measure]
 * @returns {Excess[]} by cluster
 */
export function excessOf(timeline, burst, window, measure = EXCESS) {
  const width = timeline.window_seconds;
  return timeline.clusters.map((cluster, at) => {
    const row = timeline.series[measure]?.[at] ?? [];
    const alarms = alarmsAt(timeline, cluster.name);
    const quiet = row.filter(
      (_, index) =>
        index !== window && !alarms.some((alarm) => touches(alarm, index * width, width)),
    );
    const struck = row.filter((_, index) => burst !== null && covers(burst, index * width, width));
    const usual = usualOf(quiet);
    const during = window === null ? mean(struck) : (row[window] ?? null);
    const ratio = usual !== null && usual >= FEW && during !== null ? during / usual : null;
    const isHit =
      window === null
        ? burst !== null && burst.clusters.includes(cluster.name)
        : isSurely(during, usual);
    return { cluster, usual, during, ratio, isHit };
  });
}

/**
 * @param {number | null} during
 * @param {number | null} usual
 * @returns {boolean} whether a count is beyond chance, as Poisson counts go
 */
function isSurely(during, usual) {
  if (during === null || usual === null) return false;
  return during - usual > SURE_SIGMA * Math.sqrt(Math.max(usual, FEW));
}

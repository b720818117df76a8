/** Composes the one sentence that tells what happened, and the figures under it, from the data. */

import { clock, count, duration, place, plural, share, times } from "./format.js";
import { burstsOf, excessOf, hasCourse, isWatched, spanSeconds } from "./timeline.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {{ label: string, value: string, note: string, tone: string }} Fact */

/**
 * @param {Job} job
 * @returns {number} records set aside at all hops
 */
export function droppedOf(job) {
  return Object.values(job.hops).reduce((sum, hop) => sum + hop.dropped, 0);
}

/**
 * @param {Job} job
 * @param {Timeline | null} timeline as far as it is shown
 * @param {boolean} isCut whether that is less than all
 * @returns {{ event: string, outcome: string }} what happened; what was lost
 */
export function headline(job, timeline, isCut) {
  const course = timeline && (isCut || hasCourse(timeline)) ? tellCourse(timeline) : "";
  const at = timeline && isCut ? `At ${clock(timeline.now_seconds)}: ` : "";
  const state = tellState(job, Boolean(course));
  const losses = tellLosses(job);
  const isNews = course !== "" && (isCut || (timeline?.alarms.length ?? 0) > 0);
  if (!isNews) return { event: join(state, course), outcome: losses };
  if (job.status === "failed") return { event: join(state, at + course), outcome: losses };
  return { event: at + course, outcome: join(state, losses) };
}

/**
 * @param {...string} sentences
 * @returns {string}
 */
function join(...sentences) {
  return sentences.filter(Boolean).join(" ");
}

/**
 * @param {Timeline} timeline
 * @returns {string}
 */
function tellCourse(timeline) {
  const [burst, ...more] = burstsOf(timeline);
  if (burst) {
    const excess = excessOf(timeline, burst, null);
    const hit = excess.filter((each) => each.isHit);
    const top = Math.max(0, ...hit.map((each) => each.ratio ?? 0));
    const from = whereFrom(burst);
    const when =
      burst.end_seconds === null
        ? `since\u00a0${clock(burst.onset_seconds)}`
        : `${clock(burst.onset_seconds)}\u00a0to\u00a0${clock(burst.end_seconds)}`;
    const how = top > 0 ? `, up to ${times(top)}` : "";
    const others = more.length ? ` (and ${plural(more.length, "weaker burst")})` : "";
    const who = `${count(hit.length)} of ${clusters(timeline)} hit`;
    return `Burst${from}, ${when}${others}: ${who}${how}.`;
  }
  const sick = timeline.alarms.filter((alarm) => alarm.kind === "sick_machine");
  const time = duration(spanSeconds(timeline));
  if (sick.length) {
    const names = [...new Set(sick.map((alarm) => alarm.cluster ?? alarm.clusters[0]))];
    return `No burst in ${time}; ${plural(sick.length, "sick machine")} at ${names.join(", ")}.`;
  }
  if (!isWatched(timeline)) return "";
  const other = timeline.alarms.length;
  if (other) return `No burst in ${time}; ${plural(other, "other alarm")}.`;
  return `No alarm in ${time} at ${clusters(timeline)}.`;
}

/**
 * @param {import("./timeline.js").Alarm} burst
 * @returns {string}
 */
function whereFrom(burst) {
  if (burst.latitude_degrees === null || burst.longitude_degrees === null) return "";
  return ` from above ${place(burst.latitude_degrees, burst.longitude_degrees)}`;
}

/**
 * @param {Timeline} timeline
 * @returns {string}
 */
function clusters(timeline) {
  return plural(timeline.clusters.length, "cluster");
}

/**
 * @param {Job} job
 * @param {boolean} isBrief whether something else was said already
 * @returns {string}
 */
function tellState(job, isBrief) {
  const { committed, pending } = job.parts;
  const done = `${count(committed)} of ${plural(committed + pending, "part")} done`;
  if (job.status === "running") return `Running: ${done}.`;
  if (job.status === "stopped") return `Stopped with ${done}; the same command goes on.`;
  if (job.status === "failed") return "The job failed: do not use its output.";
  if (job.status === "incomplete") return "Some input is not an archive; the rest is indexed.";
  if (isBrief || !job.pages) return "";
  return `${count(job.pages.indexed)} of ${plural(job.pages.read, "page")} indexed.`;
}

/**
 * @param {Job} job
 * @returns {string}
 */
function tellLosses(job) {
  const { verdict, imbalance_records: imbalance } = job.ledger;
  const dropped = droppedOf(job);
  const escaped = job.truth?.escaped ?? 0;
  const ledger = `ledger ${verdict}`;
  const used = escaped ? `${plural(escaped, "fault")} escaped: altered records were used. ` : "";
  if (imbalance) return `${used}${plural(imbalance, "record")} unaccounted for; ${ledger}.`;
  if (verdict === "unknown") return `${used}Records carried no seals: losses cannot be excluded.`;
  if (verdict === "open") return `${used}${plural(dropped, "record")} set aside so far; ${ledger}.`;
  if (dropped) return `${used}0 records lost silently, ${count(dropped)} set aside; ${ledger}.`;
  return `${used}0 records lost; ${ledger}.`;
}

/**
 * @param {Job} job
 * @param {Timeline | null} timeline as far as it is shown
 * @returns {Fact[]}
 */
export function facts(job, timeline) {
  const burst = timeline && hasCourse(timeline) ? burstsOf(timeline)[0] : undefined;
  const own = timeline && burst ? burstFacts(timeline, burst) : pageFacts(job);
  return [ledgerFact(job), lossFact(job), ...own, faultFact(job)];
}

/**
 * @param {Job} job
 * @returns {string} "good", "bad", "warn", or "open" while it is not known
 */
export function toneOf(job) {
  if (job.truth?.escaped || job.ledger.imbalance_records || job.status === "failed") return "bad";
  if (job.ledger.findings.length) return "warn";
  const tones = { balanced: "good", open: "open" };
  return tones[/** @type {keyof typeof tones} */ (job.ledger.verdict)] ?? "warn";
}

/**
 * @param {Job} job
 * @returns {Fact}
 */
function ledgerFact(job) {
  const notes = {
    balanced: "every sealed record is accounted for",
    imbalanced: `${plural(job.ledger.imbalance_records, "record")} unaccounted for`,
    unknown: "records carried no seals",
    open: "closes when the job ends",
  };
  const { verdict } = job.ledger;
  const note = notes[/** @type {keyof typeof notes} */ (verdict)] ?? "";
  return { label: "Ledger", value: verdict, note, tone: toneOf(job) };
}

/**
 * @param {Job} job
 * @returns {Fact}
 */
function lossFact(job) {
  const dropped = droppedOf(job);
  const records = Object.values(job.hops).reduce((sum, hop) => sum + hop.records, 0);
  const note = `of ${plural(records, "delivery", "deliveries")}`;
  const isUnknown = ["unknown", "open"].includes(job.ledger.verdict);
  const lost = job.ledger.imbalance_records;
  const tone = dropped ? "warn" : "open";
  if (isUnknown) return { label: "Set aside", value: count(dropped), note, tone };
  if (dropped && !lost) return { label: "Set aside, none lost", value: count(dropped), note, tone };
  return { label: "Records lost", value: count(lost), note, tone: lost ? "bad" : "good" };
}

/**
 * @param {Timeline} timeline
 * @param {import("./timeline.js").Alarm} burst
 * @returns {Fact[]}
 */
function burstFacts(timeline, burst) {
  const excess = excessOf(timeline, burst, null);
  const hit = excess.filter((each) => each.isHit);
  const sorted = [...hit].sort((one, other) => (other.ratio ?? 0) - (one.ratio ?? 0));
  const late = burst.detected_seconds - burst.onset_seconds;
  const value = `${count(hit.length)} of ${count(excess.length)}`;
  const quiet = excess.length - hit.length;
  const top = sorted[0];
  return [
    { label: "Clusters hit", value, note: `${count(quiet)} stayed quiet`, tone: "hit" },
    {
      label: "Hit hardest",
      value: top?.ratio ? times(top.ratio) : "\u2013",
      note: top ? `${top.cluster.name}, affected machines` : "",
      tone: "hit",
    },
    {
      label: "Noticed after",
      value: duration(late),
      note: `at ${burst.significance_sigma.toFixed(0)} standard deviations`,
      tone: "plain",
    },
  ];
}

/**
 * @param {Job} job
 * @returns {Fact[]}
 */
function pageFacts(job) {
  const sums = { corrected: 0, retried: 0, records: 0 };
  for (const hop of Object.values(job.hops)) {
    sums.corrected += hop.corrected;
    sums.retried += hop.retried;
    sums.records += hop.records;
  }
  const pages = job.pages;
  const of = (/** @type {number} */ part) => `${share(part, sums.records)} of deliveries`;
  return [
    {
      label: "Pages indexed",
      value: pages ? count(pages.indexed) : "\u2013",
      note: pages ? `of ${count(pages.read)} read` : "counted when the job ends",
      tone: "plain",
    },
    { label: "Corrected", value: count(sums.corrected), note: of(sums.corrected), tone: "plain" },
    { label: "Made again", value: count(sums.retried), note: of(sums.retried), tone: "plain" },
  ];
}

/**
 * @param {Job} job
 * @returns {Fact}
 */
function faultFact(job) {
  if (job.truth) {
    const { injected, escaped } = job.truth;
    const note = `injected; ${count(escaped)} escaped`;
    return {
      label: "Simulated faults",
      value: count(injected),
      note,
      tone: escaped ? "bad" : "plain",
    };
  }
  const time = job.seconds === null ? "\u2013" : duration(job.seconds);
  return { label: "Took", value: time, note: `protection ${job.protection}`, tone: "plain" };
}

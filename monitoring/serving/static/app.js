/** Starts the page: puts the parts around one state, and asks the server for what they show. */

import { showAlarms } from "./alarms.js";
import { ApiError, askJob, askJobs, askTimeline } from "./api.js";
import { showCharts } from "./charts.js";
import { find, make, show } from "./dom.js";
import { clock, duration } from "./format.js";
import { showFunnel } from "./funnel.js";
import { facts, headline, toneOf } from "./headline.js";
import { chooseJob, nameInAddress, showJobs } from "./jobs.js";
import { showLedger } from "./ledger.js";
import { showMap } from "./map.js";
import { startPolling } from "./poll.js";
import { showQuarantine } from "./quarantine.js";
import { showScrubber } from "./scrubber.js";
import { sign } from "./signs.js";
import { makeStore } from "./state.js";
import { showTheme } from "./theme.js";
import { cut, EXCESS } from "./timeline.js";

const RUNNING_MILLISECONDS = 2000;
const REPLAY_MILLISECONDS = 1000;
const IDLE_MILLISECONDS = 15_000;
const PATIENCE_MILLISECONDS = 500;

const store = makeStore({
  jobs: [],
  name: null,
  job: null,
  timeline: null,
  untilSeconds: null,
  measure: EXCESS,
  cursor: null,
  theme: "auto",
  palette: 0,
});

/** Asks for everything that is shown, and takes it over at once. */
async function ask() {
  const jobs = await askJobs();
  const name = chooseJob(jobs, store.get().name ?? nameInAddress());
  if (name === null) {
    store.set({ jobs, name });
    showConnection("good", "Waiting for a job");
    return;
  }
  const asked = askTimeline(name);
  const [job, early] = await Promise.all([askJob(name), Promise.race([asked, patience()])]);
  const isOther = () => {
    const wanted = store.get().name;
    return wanted !== null && wanted !== name && jobs.some((each) => each.name === wanted);
  };
  if (early === null && !isOther() && store.get().job?.name !== name) {
    store.set({ jobs, name, job, timeline: null });
    showConnection("good", "Reading what happened when");
  }
  const timeline = await asked;
  if (isOther()) return;
  store.set({ jobs, name, job, timeline });
  showConnection("good", describeState());
}

/** @returns {Promise<null>} after which a job is shown without its course of time */
function patience() {
  return new Promise((done) => {
    window.setTimeout(() => done(null), PATIENCE_MILLISECONDS);
  });
}

/** @returns {boolean} whether a replay has not come to its end */
function isReplaying() {
  const { timeline, job } = store.get();
  if (!timeline?.replay) return false;
  return timeline.now_seconds < (job?.scenario?.duration_seconds ?? Infinity);
}

/** @returns {string} */
function describeState() {
  const { job, timeline } = store.get();
  if (isReplaying() && timeline?.replay) {
    return `Replay at ${clock(timeline.now_seconds)}, ${duration(timeline.replay.pace)} a second`;
  }
  return job?.status === "running" ? "Live" : `Job ${job?.status ?? ""}`;
}

/** @returns {number} milliseconds until the next question */
function pause() {
  if (isReplaying()) return REPLAY_MILLISECONDS;
  return store.get().job?.status === "running" ? RUNNING_MILLISECONDS : IDLE_MILLISECONDS;
}

/**
 * @param {string} tone
 * @param {string} text
 */
function showConnection(tone, text) {
  const line = find("connection");
  if (line.textContent === text && line.className === tone) return;
  line.className = tone;
  show(line, text);
  find("trouble").hidden = true;
}

/**
 * @param {unknown} error
 * @param {number} wait milliseconds
 */
function showTrouble(error, wait) {
  const isAnswer = error instanceof ApiError;
  const said = isAnswer ? error.message : `This page has a fault: ${error}.`;
  const line = find("connection");
  line.className = "bad";
  show(line, isAnswer ? (error.status ? "Server refuses" : "Server gone") : "Page failed");
  const again = `Asking again in ${Math.round(wait / 1000)} s.`;
  const before = store.get().job ? "What is shown is from before. " : "";
  show(find("trouble-text"), `${said}${/[.?!]$/.test(said) ? "" : "."} ${before}${again}`);
  find("trouble").hidden = false;
}

/** Keeps the headline, the figures under it and the window's title right. */
function showHeadline() {
  store.watch(["job", "timeline", "untilSeconds"], ({ job, timeline, untilSeconds }) => {
    if (!job) return;
    const shown = timeline && cut(timeline, untilSeconds);
    const { event, outcome } = headline(job, shown, shown !== timeline);
    show(find("event"), event);
    show(find("outcome"), sign(toneOf(job)), make("span", {}, outcome));
    document.title = `${job.name === "." ? "" : `${job.name}: `}${job.status} \u2013 Sealed Beam`;
    const cards = facts(job, shown).map(({ label, value, note, tone }) =>
      make(
        "div",
        { class: `fact ${tone}` },
        make("dt", {}, label),
        make("dd", {}, make("b", {}, value), make("span", {}, note)),
      ),
    );
    show(find("facts"), ...cards);
    const note = job.scenario?.acceleration_note;
    show(find("note"), note ? `Simulated: ${job.scenario?.name}. ${note}` : "");
  });
}

showTheme(store);
showHeadline();
showScrubber(store);
showMap(store);
showCharts(store);
showAlarms(store);
showFunnel(store);
showLedger(store);
showQuarantine(store);
showJobs(store, (name) => {
  store.set({ name, untilSeconds: null, cursor: null });
  polling.now();
});
const polling = startPolling(ask, pause, showTrouble);
find("retry").addEventListener("click", () => polling.now());
document.documentElement.dataset.theme = store.get().theme;

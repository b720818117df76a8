/** Which job is shown: the chooser, the address after #, and the link to the job's report. */

import { find, make, show } from "./dom.js";

const PREFIX = "#job=";

/**
 * @returns {string | null} the job that the address names
 */
export function nameInAddress() {
  if (!location.hash.startsWith(PREFIX)) return null;
  try {
    return decodeURIComponent(location.hash.slice(PREFIX.length));
  } catch {
    return null;
  }
}

/**
 * Chooses: what the address says, else what runs, else what has a scenario, else the first.
 * @param {import("./api.js").Listed[]} jobs
 * @param {string | null} wanted
 * @returns {string | null}
 */
export function chooseJob(jobs, wanted) {
  const chosen =
    jobs.find((job) => job.name === wanted) ??
    jobs.find((job) => job.status === "running") ??
    jobs.find((job) => job.scenario !== null) ??
    jobs[0];
  return chosen?.name ?? null;
}

/**
 * @param {import("./state.js").Store} store
 * @param {(name: string) => void} choose
 */
export function showJobs(store, choose) {
  const select = /** @type {HTMLSelectElement} */ (find("job"));
  select.addEventListener("change", () => {
    location.hash = PREFIX + encodeURIComponent(select.value);
  });
  window.addEventListener("hashchange", () => {
    const name = nameInAddress();
    if (name !== null) choose(name);
  });
  store.watch(["jobs", "name"], ({ jobs, name }) => {
    const options = jobs.map((job) => {
      const option = /** @type {HTMLOptionElement} */ (make("option", {}, titleOf(job)));
      option.value = job.name;
      option.selected = job.name === name;
      return option;
    });
    show(select, ...options);
    find("chooser").hidden = jobs.length < 2;
    find("no-jobs").hidden = jobs.length > 0;
    find("content").hidden = jobs.length === 0;
  });
  store.watch(["job"], ({ job }) => {
    const report = /** @type {HTMLAnchorElement} */ (find("report"));
    report.hidden = !job || !["complete", "incomplete", "failed"].includes(job.status);
    if (job) report.href = `report?name=${encodeURIComponent(job.name)}`;
  });
}

/**
 * @param {import("./api.js").Listed} job
 * @returns {string}
 */
function titleOf(job) {
  const name = job.name === "." ? "this folder" : job.name;
  const what = [job.status, job.scenario, job.protection].filter(Boolean).join(", ");
  return `${name}: ${what}`;
}

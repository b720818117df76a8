"""Jobs as the API of `sealedbeam serve` tells them, made up: a burst, a plain job, a failed one.

Each function returns the JSON values of one job. The numbers follow from fixed seeds, so that a
test can name them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

Json = dict[str, Any]

ROOT = Path(__file__).parent.parent.parent
WINDOW_SECONDS = 60
WINDOWS = 30
ONSET_SECONDS, END_SECONDS, DETECTED_SECONDS = 600, 1200, 620
SOURCE = (30.0, -40.0)
AMPLITUDE = 20.0
USUAL_PER_MACHINE = 60 / 1800
SERIES = (
    *("intact", "corrected", "retried", "dropped"),
    *("ecc_corrected", "ecc_uncorrected", "affected_machines"),
)
HOPS = ("pages", "documents", "runs", "shards")
HOSTILE = "<img src=x onerror=\"document.title='broken'\">\u202egz.exe\u0007 &amp; \ud800"


@dataclass
class Job:
    """What the API says of one job; tests change it at will."""

    job: Json
    timeline: Json
    quarantine: list[Json] = field(default_factory=list)
    raw: bytes = b""

    @property
    def listed(self) -> Json:
        """The row of /api/jobs."""
        scenario = self.job["scenario"]
        names = ("name", "status", "protection", "command")
        return {name: self.job[name] for name in names} | {
            "scenario": scenario and scenario["name"]
        }


def read_clusters() -> list[Json]:
    """Return the clusters of the shipped fleet."""
    text = (ROOT / "configs" / "clusters" / "world.yaml").read_text(encoding="utf-8")
    names = ("name", "latitude", "longitude", "altitude_metres", "machines")
    return [{name: each[name] for name in names} for each in yaml.safe_load(text)["clusters"]]


def height(cluster: Json) -> float:
    """Return the sine of the source's height above the horizon of a cluster."""
    latitude, longitude = math.radians(cluster["latitude"]), math.radians(cluster["longitude"])
    above, at = math.radians(SOURCE[0]), math.radians(SOURCE[1])
    return math.sin(latitude) * math.sin(above) + math.cos(latitude) * math.cos(above) * math.cos(
        longitude - at
    )


def make_series(clusters: list[Json], windows: int = WINDOWS) -> dict[str, list[list[int]]]:
    """Return counts for each cluster and window: Poisson, with the burst in ten of them."""
    random = np.random.default_rng(0)
    start, end = ONSET_SECONDS // WINDOW_SECONDS, END_SECONDS // WINDOW_SECONDS
    series: dict[str, list[list[int]]] = {name: [] for name in SERIES}
    for cluster in clusters:
        machines = cluster["machines"]
        high = 1 + cluster["altitude_metres"] / 900
        rates = np.full(windows, USUAL_PER_MACHINE * machines * high)
        rates[start:end] *= 1 + AMPLITUDE * max(0.0, height(cluster))
        errors = random.poisson(rates)
        uncorrected = random.binomial(errors, 0.06)
        affected = np.round(machines * -np.expm1(-errors / machines))
        intact = random.poisson(2.2e6 / windows * machines / 15300, windows)
        corrected = random.binomial(errors, 0.02)
        retried = random.binomial(errors, 0.005)
        rows = (intact, corrected, retried, np.zeros(windows), errors - uncorrected, uncorrected)
        for name, row in zip(SERIES, (*rows, affected), strict=True):
            series[name].append([int(number) for number in row])
    return series


def make_burst_alarm(clusters: list[Json]) -> Json:
    """Return the alarm as the detector would give it: three degrees beside the truth."""
    return {
        "kind": "burst",
        "cluster": None,
        "onset_seconds": ONSET_SECONDS,
        "detected_seconds": DETECTED_SECONDS,
        "end_seconds": END_SECONDS,
        "significance_sigma": 148.3,
        "amplitude": 19.4,
        "latitude_degrees": 31.2,
        "longitude_degrees": -38.6,
        "uncertainty_degrees": 3.1,
        "clusters": [each["name"] for each in clusters if height(each) > 0.05],
    }


def make_sick_alarm() -> Json:
    """Return the alarm of one machine that counts by itself."""
    return {
        "kind": "sick_machine",
        "cluster": "tokyo",
        "onset_seconds": 1380,
        "detected_seconds": 1390,
        "end_seconds": 1500,
        "significance_sigma": 41.0,
        "amplitude": None,
        "latitude_degrees": None,
        "longitude_degrees": None,
        "uncertainty_degrees": None,
        "clusters": ["tokyo"],
    }


def make_hops(series: dict[str, list[list[int]]]) -> dict[str, Json]:
    """Return the ladder of each hop: the pages hop is the sum of the series."""
    names = ("intact", "corrected", "retried", "dropped")
    first = {name: sum(map(sum, series[name])) for name in names}
    later = [
        {"intact": 2_100_411, "corrected": 212, "retried": 31, "dropped": 0},
        {"intact": 1_204, "corrected": 1, "retried": 0, "dropped": 0},
        {"intact": 64, "corrected": 0, "retried": 0, "dropped": 0},
    ]
    accounts = zip(HOPS, (first, *later), strict=True)
    return {hop: {"records": sum(each.values()), **each} for hop, each in accounts}


def make_supernova(name: str = "supernova") -> Job:
    """Return a finished job that met a burst of ten minutes."""
    clusters = read_clusters()
    series = make_series(clusters)
    job = _make_job(name, make_hops(series)) | {
        "scenario": {
            "name": "supernova",
            "acceleration_note": "Memory is accelerated by 10^16 and the burst raises that 20 "
            "times; real memory would meet nothing of this in a job of seconds.",
            "duration_seconds": WINDOWS * WINDOW_SECONDS,
            "clusters": clusters,
        },
        "truth": {"injected": 30_214, "escaped": 0},
        "set_aside": [{"stage": "input", "reason": "bad_gzip", "records": 2}],
    }
    rows = [_make_row(number, "input", "bad_gzip") for number in range(2)]
    return Job(
        job, make_timeline(clusters, series, [make_burst_alarm(clusters), make_sick_alarm()]), rows
    )


def make_timeline(
    clusters: list[Json], series: dict[str, list[list[int]]], alarms: list[Json]
) -> Json:
    """Return the timeline of a finished job."""
    windows = len(series["intact"][0])
    return {
        "window_seconds": WINDOW_SECONDS,
        "windows": windows,
        "now_seconds": windows * WINDOW_SECONDS,
        "replay": None,
        "clusters": clusters,
        "series": series,
        "alarms": alarms,
    }


def make_plain(name: str = "plain") -> Job:
    """Return a finished job without a scenario, with more set aside than one page lists."""
    hops = {
        "pages": _account(66, 54, 10, 2, 0),
        "documents": _account(62, 50, 9, 3, 0),
        "runs": _account(2, 2, 0, 0, 0),
        "shards": _account(1, 0, 1, 0, 0),
    }
    job = _make_job(name, hops) | {
        "pages": {
            "read": 66,
            "indexed": 61,
            "duplicate": 1,
            "rejected": {"revisit": 2, "http_status": 1},
            "quarantined": 1,
        },
        "set_aside": [
            {"stage": "input", "reason": "bad_gzip", "records": 100},
            {"stage": "parse", "reason": "crashes_worker", "records": 34},
        ],
        "corrected_bits": {"syndrome": 19, "seal": 1},
        "retry_attempts": {"bad_seal": 7},
    }
    rows = [_make_row(n, "input", "bad_gzip") for n in range(100)]
    rows += [_make_row(n + 100, "parse", "crashes_worker") for n in range(34)]
    rows[0]["source_file"] = f"crawl/{HOSTILE}.warc.gz"
    raw = b"HTTP/1.1 200 OK\r\n<script>alert(1)</script>\xe2\x80\xae\x00\x1b[31m" + bytes(
        range(256)
    )
    return Job(job, _one_window(), rows, raw * 40)


def make_failed(name: str = "failed") -> Job:
    """Return a job whose ledger does not balance, with hostile words in its findings."""
    job = _make_job(name, make_plain().job["hops"]) | {
        "status": "failed",
        "command": f"sealedbeam index '{HOSTILE}' --output index",
        "dropped_reasons": {"bad_seal": 3},
        "ledger": {
            "verdict": "imbalanced",
            "imbalance_records": 4,
            "findings": [
                "pages: 66 sealed, 62 accounted for",
                f"documents of {HOSTILE}: 3 dropped of 62 are more than the 1 % allowed",
            ],
        },
    }
    job["hops"]["documents"] = _account(62, 47, 9, 3, 3)
    return Job(job, _one_window())


def make_running(name: str = "running") -> Job:
    """Return a job in the middle of its parts, before anything was indexed."""
    clusters = read_clusters()
    series = {row: [each[:8] for each in rows] for row, rows in make_series(clusters).items()}
    job = _make_job(name, make_hops(series)) | {
        "status": "running",
        "pages": None,
        "parts": {"pending": 27, "committed": 13},
        "ledger": {"verdict": "open", "imbalance_records": 0, "findings": []},
        "scenario": make_supernova().job["scenario"],
        "truth": None,
    }
    return Job(job, make_timeline(clusters, series, []))


def make_empty(name: str = "empty") -> Job:
    """Return a job that has only begun: nothing is committed."""
    job = _make_job(name, {}) | {
        "status": "running",
        "pages": None,
        "seconds": None,
        "parts": {"pending": 40, "committed": 0},
        "ledger": {"verdict": "open", "imbalance_records": 0, "findings": []},
        "inputs": [],
    }
    return Job(job, _one_window(0))


def make_all() -> dict[str, Job]:
    """Return one job of each kind, by name."""
    jobs = (make_supernova(), make_plain(), make_failed(), make_running(), make_empty())
    return {each.job["name"]: each for each in jobs}


def _account(records: int, intact: int, corrected: int, retried: int, dropped: int) -> Json:
    names = ("records", "intact", "corrected", "retried", "dropped")
    return dict(zip(names, (records, intact, corrected, retried, dropped), strict=True))


def _one_window(count: int = 62) -> Json:
    site = {
        "name": "local",
        "latitude": None,
        "longitude": None,
        "altitude_metres": None,
        "machines": 2,
    }
    return make_timeline([site], {name: [[count]] for name in SERIES}, [])


def _make_row(number: int, stage: str, reason: str) -> Json:
    return {
        "row": number,
        "stage": stage,
        "reason": reason,
        "source_file": f"crawl/part-{number % 7:05d}.warc.gz",
        "source_offset": 1_048_576 * number + 77,
        "source_length": 1_234 + number,
        "task": f"part-{number % 7:05d}",
        "attempts": 1 + number % 3,
        "length_bytes": 12_800 if number == 0 else 1_234 + number,
    }


def _make_job(name: str, hops: dict[str, Json]) -> Json:
    return {
        "name": name,
        "status": "complete",
        "command": f"sealedbeam index crawl/*.warc.gz --output {name}",
        "configuration_hash": "9f2c51b07d3e4a66",
        "protection": "correct",
        "seed": 0,
        "seconds": 12.5,
        "pages": {
            "read": 2_204_101,
            "indexed": 2_100_654,
            "duplicate": 70_311,
            "rejected": {"revisit": 20_114, "http_status": 13_020},
            "quarantined": 2,
        },
        "parts": {"pending": 0, "committed": 40},
        "hops": hops,
        "corrected_bits": {"syndrome": 2_903, "seal": 14, "mirror": 0},
        "retry_attempts": {"bad_seal": 611},
        "dropped_reasons": {},
        "ledger": {"verdict": "balanced", "imbalance_records": 0, "findings": []},
        "inputs": [
            {"path": f"crawl/part-{number:05d}.warc.gz", "bytes": 104_857_600 + number}
            for number in range(7)
        ],
        "scenario": None,
        "truth": None,
        "set_aside": [],
    }

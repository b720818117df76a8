"""Loads, when imported, all that a job needs: for a process that does nothing but fork others.

It computes nothing with Arrow, whose threads would not survive a fork.
"""

# ruff: noqa: E402 - what is hidden must be hidden before the rest is loaded

from __future__ import annotations

from contextlib import suppress

from sealedbeam.pipeline.jobs.worker import hide_unused

hide_unused()  # as in every worker

import sealedbeam.faults.channel
import sealedbeam.faults.checkers
import sealedbeam.faults.transit
import sealedbeam.monitoring.publish
import sealedbeam.pipeline.progress
from sealedbeam.pipeline.index import tokens

with suppress(ImportError):  # an extra
    import sealedbeam.pipeline.objects_s3  # noqa: F401 - the first request loads it

import tests.support.trials  # noqa: F401 - what the forked processes run

tokens._kinds()  # a table that takes longer than all else in a small job

"""A worker of an external pool: Beam's harness in a process that dies with the pool.

Started by `worker_pool` as `python -m sealedbeam.pipeline.jobs.pool_worker ID CONTROL_ADDRESS`. It
ends by itself when its runner is gone or cannot be reached.
"""

from __future__ import annotations

import logging
import sys

from .worker import die_with_parent, keep_memory


def main(arguments: list[str]) -> int:
    """Serve the runner at the control address, until it hangs up."""
    worker_id, control = arguments
    logging.basicConfig(level=logging.CRITICAL)  # Beam's import warns of absent clouds
    die_with_parent()
    keep_memory()
    from apache_beam.runners.worker.sdk_worker import SdkHarness  # noqa: PLC0415 - see above

    SdkHarness(control, worker_id=worker_id, data_buffer_time_limit_ms=-1).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

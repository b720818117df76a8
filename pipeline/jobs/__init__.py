"""Assembly: planning, committing, resuming and supervising jobs.

plan            parts and shards, from the inputs alone; the stitch check
prepare         looks at the inputs, claims the output folder
lock            one writer for one folder
context         what every task of a job knows
store, files    durable objects with content-addressed names
object_store    the same on s3:// and gs://
entry           a task's entry in the ledger
reading         reads a part past records that must not be read
arrival         counts what is read, and sets aside what is no page
segment         documents of bounded size, as a documents file and runs
map_job         read, parse, invert: one part
parsing         one page: parsed, voted on, looked at again
redundancy      computations done again elsewhere: sample, votes, eviction
cores           takes a thread from core to core
derive          makes pages and documents again from their identity
duplicates_job  compares all documents' digests
runs            the reading end of the shuffle
reduce_job      merges, writes and reads back one shard
quarantine      what was set aside, as Parquet
totals, finish  the sum of the ledger, its verdict, summary and manifest
expect          compares the inputs with lists of what they should hold
tasks, settle   what is scheduled, and what happens between the phases
transforms      Beam wiring
beam_metrics    what tasks did, as Beam's own counters
worker, driver  the local runner: one long-lived process per core
child           one worker as the driver holds it
recorder        what a worker has in hand, in memory that outlives it
supervision     what follows from workers that die or stand still
poison          records that harm who works on them, and the list of those to skip
report          what a worker tells the driver
work            what workers can be asked to do
crawl           the crawl as a job
engine          any other runner of Beam
flink           what Flink's JobManager tells of a job
worker_pool     an external worker pool, as Flink calls it; pool_worker is a worker of it
index_job       the index job, end to end
audit           verifies every byte of an output
"""

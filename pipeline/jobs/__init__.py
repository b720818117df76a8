"""Assembly: planning, committing, resuming and supervising jobs.

plan            parts and shards, from the inputs alone; the stitch check
prepare         looks at the inputs, claims the output folder
context         what every task of a job knows
store, files    durable objects with content-addressed names
entry           a task's entry in the ledger
segment         documents of bounded size, as a documents file and runs
map_job         read, parse, invert: one part
derive          makes pages and documents again from their identity
duplicates_job  compares all documents' digests
runs            the reading end of the shuffle
reduce_job      merges, writes and reads back one shard
quarantine      what was set aside, as Parquet
totals, finish  the sum of the ledger, its verdict, summary and manifest
tasks, settle   what is scheduled, and what happens between the phases
transforms      Beam wiring
worker, driver  the local runner: one long-lived process per core
report          what a worker tells the driver
engine          any other runner of Beam
index_job       the index job, end to end
audit           verifies every byte of an output
"""

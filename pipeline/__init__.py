"""The pipeline: sealed records from web archives to a proven index.

integrity    seals, blocks, correction, the ladder and the ledger
warc         reads and writes web archives
crawl        which addresses to ask for, when, and what the answers mean
index        parses, tokenises, inverts, merges and searches
storage      finished outputs at rest: scrub, parity over files, repair
jobs         plans, commits, resumes and supervises
records      the values that travel between the stages
text         one line of foreign text
fields       packs byte strings into one payload
sealed_json  JSON files that prove themselves
manifest     which bytes a finished index consists of
parquet      reads small Parquet files whole
config       options, checked, and their hash
options      options from a file and a command line, every mistake told
yaml_files   YAML that people write
run_config   the file of `run`: a crawl and its index
filesystems  finds and opens inputs, names outputs
objects, objects_s3, objects_gs  s3:// and gs://, and whatever else Beam opens
errors       the errors that end a job
cli          the command line
arguments    parts the words of a command line
running      runs a job with the local driver and shows how far it is
telling      how a job ended, what was set aside, in print
console      streams, errors of one line, exit codes
display      results as text
progress     how far a job is
crawl_progress  how far a crawl is
crawl_telling  how a crawl ended, in print
"""

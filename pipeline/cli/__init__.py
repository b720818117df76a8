"""The command line: one module for each family of commands.

program   the program, of which all commands are part
index     index: the main job
looking   search, audit, quarantine: what looks at a finished index
scrub     scrub: verifies an output at rest, protects and repairs it
crawl     crawl: seeds to web archives
run       run: crawl and index, as one file describes them
serve     serve: dashboard and metrics of running and finished jobs
campaign  campaign: the main job under simulated faults
backfill  backfill: finished jobs for Prometheus, on their simulated clock
plans     a scenario's plan for one job
observer  what looks at a job from outside: faults and monitoring
crawl_watcher  the same for a crawl
"""

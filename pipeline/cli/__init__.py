"""The command line: one module for each family of commands.

program   the program, of which all commands are part
index     index: the main job
looking   search, audit, quarantine: what looks at a finished index
crawl     crawl: seeds to web archives
serve     serve: dashboard and metrics of running and finished jobs
campaign  campaign: the main job under simulated faults
backfill  backfill: finished jobs for Prometheus, on their simulated clock
observer  what looks at a job from outside: faults and monitoring
"""

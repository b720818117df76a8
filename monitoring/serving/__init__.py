"""The page, the JSON API and /metrics over HTTP: of running jobs, finished ones, and replayed.

jobs_folder     which jobs a folder has, whether one is running, whether it has changed
live_jobs       the jobs as they are now, read again without letting a client wait
job_json        a job, its timeline and its alarms as JSON; text in them is harmless
quarantine_rows what a job has set aside, row by row, and pieces of the raw bytes
replay          what could be known of a finished job at an instant of its scenario
exposition      metrics in Prometheus' text or OpenMetrics, as the scraper asks
metrics_cache   keeps the last texts of metrics, and makes new ones in the background
http_values     requests and responses as values, and the headers of every response
api             a function from request to response, without sockets
static_files    the files of the page, told apart by their digests
server          from sockets to the API and back, with bounds on everything
running         puts the server together: a folder's jobs, the API, a socket
beside          serves a folder beside the command that fills it, in its own process
"""

"""Shows the ledger: metrics in Prometheus' format, and a report to read.

metrics     the catalogue: each metric's name, help and labels, declared once
view        what all views show, as one value; and what the output folder says of it
entries     the committed entries of a ledger, read as they appear and summed
live        the view of a folder as it stands, while its job runs and after
machine_errors  what the machines' own error counters show, as columns
timeline    what happened when and where, over simulated time
alarms      runs the burst detector over a job's counters
collector   the ledger, and the ground truth of a campaign, as Prometheus collectors
textfile    collectors as the bytes of a .prom file
windows     a finished job window by window
backfill    finished jobs as OpenMetrics on their simulated clock
fetches     what the ledger of a crawl counts of its requests
job_collector the ledger of a job, and the requests of a crawl, as one Prometheus collector
scrubs      the history of scrubs as the bytes of a .prom file
pushing     the outcome of a batch for a Pushgateway
markup      elements of HTML; what is not markup is escaped
report      report.html: one page without scripts or network
plots       bars and timelines as SVG
campaign_report  campaign.html: what each protection bought
campaign_timeline  when and where its faults struck
publish     writes all of them beside a job's results
serving     a package: the page, the API and /metrics over HTTP, live and replayed
dashboards  a package: Grafana's dashboards as code; for development alone
detection   a package: tells a burst from sick machines while counts come in
"""

"""Shows the ledger: metrics in Prometheus' format, and a report to read.

metrics     the catalogue: each metric's name, help and labels, declared once
view        what all views show, as one value; and what the output folder says of it
collector   the ledger, and the ground truth of a campaign, as Prometheus collectors
textfile    collectors as the bytes of a .prom file
markup      elements of HTML; what is not markup is escaped
report      report.html: one page without scripts or network
plots       bars and timelines as SVG
campaign_report  campaign.html: what each protection bought
publish     writes all of them beside a job's results
"""

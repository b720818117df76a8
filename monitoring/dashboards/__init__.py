"""Grafana's dashboards as code: the files of configs/grafana/dashboards are generated from here.

panels      the kinds of panels, colours and variables that the dashboards have in common
overview    is anything lost; rates of clusters, the ladder hop by hop, parts and runs
world       clusters on a map of the world
burst       which clusters were hit, when, how badly, and whether it was a burst at all
comparison  jobs side by side: what was injected and what became of it
runbook     the runbook of the alerts, a panel for each section
generate    all of them, as the bytes of files
"""

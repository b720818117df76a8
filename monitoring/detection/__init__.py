"""Tells a burst of cosmic rays from sick machines while counts come in, and where it came from.

sky         directions on the sphere, even grids, the turning Earth
network_filter  how much better a burst from a direction explains counts
burst_odds  how much likelier a burst is than chance, and than a change of one cluster
localisation    where a burst came from, and how surely
history     counts bin by bin, and the baseline before each
machine_watch   one machine that errs again and again
share_watch     uncorrected errors that take another share than before
burst_tracking  one burst from its detection to its end
values  what the burst detector is given and answers
burst_detector  tells a burst from sick machines while counts come in
"""

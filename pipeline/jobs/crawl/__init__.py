"""The crawl as a job: rounds of select, fetch, compare and fold, each of them committed tasks.

config    the options of a crawl, checked
context   what every task of a crawl knows
names     the names of tasks and objects
rows      rows of the frontier in files: written, read, damage counted
work      what a worker does for a crawl
steps     one task of a round, as a small JSON value, and the one function that does it
selecting which addresses a round asks for, dealt out to fetch tasks
fetching  visits the addresses of one task, and logs every answer
fetch_job a fetch task from its list to its commit
answers   an answer as the payload of a sealed record
harvest   makes archives and indexes of them of a log
links     the addresses that an answer names
admission which of those go into the frontier, in what form, how deep
measuring requests by outcome and by time
claims    one worker asks an address in a round
comparing which new pages have the payload of one that was there before
folding   merges what a round has found with one shard of the frontier
refetch   what becomes of an address whose answer was damaged
seeds     seeds as people give them
job       the crawl from its options to its result
rounds    the crawl from its seeds to its end: what the driver does
summary   the figures of a crawl
watching  who looks at a crawl from outside
pulse     what a fetch task tells while it runs
audit     verifies a crawl that has ended
"""

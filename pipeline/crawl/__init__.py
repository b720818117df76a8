"""The web: which addresses to ask for, when, how politely, and what the answers mean.

urls           the one spelling of a web address
filters        the user's rules for which addresses a crawl takes
traps          addresses that a site could make up for ever
robots         what a host's robots.txt permits
sitemaps       site maps and feeds, bounded
retry          when an address is asked for again
frontier       events reduce to one row for each address
sealed_rows    rows as Arrow tables, each with its CRC-32C
frontier_store shards of the frontier: Parquet files, merged round by round
hosts          what a crawl knows of each host
selection      which addresses a round asks for
addresses      which network addresses may be connected to
resolver       hosts to such addresses
politeness     whose turn it is, without clock or network
fetch          one HTTP exchange, bounded in every phase
pace           what a host's answers mean for its row
visitor        visits the pages of one task, a thousand hosts at once
visits         what an answer makes of an address
wire_digests   the digests that a server sends along
fetch_log      the append log of a task
"""

"""From pages to a searchable index.

parse      a page's bytes to a document: charset, title, text, links
tokens     texts to terms, whole batches at a time
invert     terms in text order to postings in term order, split by shard
runs       the payload of one part's postings for one shard
merge      the runs of one shard to ranges of whole terms
shards     the Parquet file of a shard, and the extents that tile it
documents  the Parquet file of a part's documents
search     BM25 and phrases over the shards of a finished index

README.md is the map with all helper modules. Nothing is imported here, so that each command pays
only for what it uses.
"""

"""From pages to a searchable index; README.md is the map, and nothing is imported here.

Documents:    parse, http_body, charset, complexity, limits, html, links, follow, duplicates
Postings:     tokens, invert, runs, merge, ragged
Files:        documents, shards, extents
Search:       search, query, postings, catalogue, scoring, snippets, losses, verified
"""

"""Fault injection with ground truth: harms what the pipeline carries, and knows what it harmed.

scenario    what goes wrong, as people write it: YAML, checked
plan        the same, resolved, fixed and hashed before a run: all that workers need
draws       random numbers as pure functions of a key and a record's identity
topology    where and when a record is: cluster, machine, simulated time
bitflips    which bits of a frame flip
channel     stands between seal and open, alters copies, learns what was made of them
truth       pristine hashes; decides what became of each fault
journal     faults as rows of a Parquet file
checkers    injected = corrected + retried + dropped + masked + escaped
"""

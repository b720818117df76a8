"""The seals as Beam transforms, for any pipeline; `..transforms` is what users import.

kinds        coders of sealed elements: found upstream, named in each block
contexts     windows and panes: what a block says of where its rows belong
consumers    damage has to be consumed: who takes it, and that somebody does
counters     Beam metrics in the words of the ledger
blocks       the DoFns that seal rows into blocks and open them
values       the DoFns that seal the values of keyed elements one by one
coder        a coder that seals each value of another coder
seal         Seal and Open
guard        Guard: a function or a transform between two seals
catching     elements that make a function raise leave by an output of their own
tallies      counts and sums of digests as a PCollection, by window and key space
reconcile    Reconcile and Balance: in = out + set aside, or the job fails
letters      WriteDeadLetters: damage to files
protect      Protect: an existing transform in one line
"""

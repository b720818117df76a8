"""Fault injection with ground truth: harms what the pipeline carries, and knows what it harmed.

scenario    what goes wrong, as people write it: YAML, checked
vocabulary  what a scenario may say, in words
mistakes    what is wrong in a file, in one line
plan        the same, resolved, fixed and hashed before a run: all that workers need
planfile    its file, read and checked
draws       random numbers as pure functions of a key and a record's identity
sites       clusters as people write them: YAML, checked
topology    where and when a record is: cluster, machine, simulated time
kinds       the kinds of faults, by what they strike
widths      which bits one fault flips
rates       failure rates and their units
flux        neutrons by altitude and cutoff rigidity
sphere      places and directions on the turning Earth
bursts      cosmic rays that raise the rates of some clusters for a while
exposure    the factor on the physical rate for one record
sick        machines whose memory errs again and again, cores that compute wrongly
machines    failures of machines, racks, power and cooling: a schedule
outages     who is down when
ecc         what the machines' own memory protection makes of an upset
strikes     which upsets strike a frame
harm        what happens to one record
deliveries  what happens to whole blocks and their heads
outline     where the parts of a block lie
shares      which part of upsets a memory protection corrects and reports
counters    what the machines' own error counters show, of all their memory
cores       wrong computations, and the truth about them
channel     the value that workers make again, and that makes transits
transit     stands between seal and open, alters copies, learns what was made of them
quiet       the same where nothing can happen
ids         how faults are named
elements    what happens to the elements of any pipeline
transforms  the same in Beam: `InjectFaults`
misses      what each code takes for right
fleet       a whole fleet: expectation, simulation, advice
fleet_model what is assumed of it
fleet_pool  the faults that stand for all
fleet_report  a file of clusters as a fleet
fleet_text    the same for a person
fleet_command the command `sealedbeam fleet`
truth       pristine hashes; decides what became of each fault
journal     faults as rows of a Parquet file
checkers    injected = corrected + retried + dropped + masked + escaped
campaign    scenarios under each protection, policy and seed, against no faults: resumable
campaign_cells    its jobs, ready to run
campaign_options  what the command may be told, checked
campaign_command  its body: runs, prints, says how it ended
campaign_text     its table
outcome     what became of one job of a campaign, and the verdict
comparison  an index against the fault-free one: documents, terms, postings
losses      what a job itself says is missing
answers     the same for a fixed set of queries
replay      one fault delivered again, by its id
replay_text the same in words
witness     watches the deliveries of one record
explain     what each check saw of a delivery
"""

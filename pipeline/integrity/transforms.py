"""Seals for any Beam pipeline: what users import. The parts lie in the package `beam`.

    elements ──Seal──▶ blocks ──any steps──▶ blocks ──Guard(fn)──▶ blocks ──Open──▶ elements
                                                         └──▶ damage          └──▶ damage
    elements ──Protect(transform)──▶ results              elements ──Reconcile(transform)──▶ results
                    └──▶ damage                                             └──▶ ledger

Rules:
1. What cannot be delivered leaves as `Damaged`, by an output that must be consumed: a pipeline that
   forgets it, or lets it fall, is not built.
2. Elements of any type with a coder, in any windows; times, windows and panes come back as they
   were. Blocks never mix windows, and lie at the time of their earliest element.
3. Every step counts under the namespace "sealedbeam", in the same words.
4. Nothing outlives a bundle, and nothing is kept for each element.

Example:
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create(["a page", "another page"])
            | Seal()
            | beam.Reshuffle()
            | Guard(lambda page: page.upper(), damage=WriteDeadLetters("damaged/in-use"))
            | Open(damage=WriteDeadLetters("damaged/at-the-end"))
            | beam.Map(print)
        )
"""

from .beam.coder import SealedCoder
from .beam.consumers import Consumer
from .beam.counters import NAMESPACE
from .beam.guard import Guard
from .beam.letters import WriteDeadLetters
from .beam.protect import Protect
from .beam.reconcile import Balance, LedgerEntry, Reconcile
from .beam.seal import Open, Seal
from .damaged import Damaged

__all__ = [
    "NAMESPACE",
    "Balance",
    "Consumer",
    "Damaged",
    "Guard",
    "LedgerEntry",
    "Open",
    "Protect",
    "Reconcile",
    "Seal",
    "SealedCoder",
    "WriteDeadLetters",
]

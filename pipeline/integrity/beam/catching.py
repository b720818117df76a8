"""Elements that make a function raise leave by an output of their own; their neighbours live.

For a transform that is already written: it is expanded as it is, then every step of it that calls a
function of the user gets a second output. What an element had emitted before it raised is withheld,
so that it leaves once, as damage, and in no other way.

Left as they are, so that what they raise fails the job: steps with state or timers, splittable
and batched DoFns (half of their work could not be taken back), combiners (they see no elements),
`start_bundle` and `finish_bundle`, and Beam's own steps, sources and sinks: a full disk is not the
fault of an element.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam import coders
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.runners.common import DoFnSignature
from apache_beam.transforms.core import CallableWrapperDoFn, get_function_arguments
from sealedbeam.pipeline.integrity.checksum import digest128
from sealedbeam.pipeline.integrity.damaged import RAISED, Damaged, describe_error, set_aside

from .counters import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from apache_beam.pipeline import AppliedPTransform

RAISED_TAG = "sealedbeam_raised"


class Catching(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Applies a transform; keeps the PCollections of elements that made its functions raise."""

    def __init__(self, transform: beam.PTransform) -> None:
        """Apply `transform` once."""
        super().__init__()
        self._transform = transform
        self.raised: list[PCollection] = []

    def expand(self, elements: Any) -> Any:
        """Return what the transform returns."""
        result = elements | self._transform
        applied = elements.pipeline.transforms_stack[-1]
        self.raised = [_catch(leaf) for leaf in _leaves(applied) if _may_catch(leaf)]
        return result


def _leaves(applied: AppliedPTransform) -> Iterator[AppliedPTransform]:
    for part in applied.parts:
        if part.parts:
            yield from _leaves(part)
        else:
            yield part


def _may_catch(leaf: AppliedPTransform) -> bool:
    """Whether a step calls a function of the user, element by element and without state."""
    fn = getattr(leaf.transform, "fn", None)
    if type(leaf.transform) is not beam.ParDo or fn is None or isinstance(fn, CatchingFn):
        return False
    signature = DoFnSignature(fn)
    if signature.is_stateful_dofn() or signature.is_splittable_dofn():
        return False
    if type(fn).process is beam.DoFn.process and "process" not in vars(fn):
        return False  # batches only
    return not _module_of(fn).startswith(("apache_beam.", "sealedbeam."))


def _module_of(fn: Any) -> str:
    """Return the module that the code of a DoFn stands in; of Map and its like, of the function."""
    if isinstance(fn, CallableWrapperDoFn):
        inner = fn._fn  # noqa: SLF001 - Beam has no other name for it
        while isinstance(inner, partial):
            inner = inner.func
        # Map and Filter wrap the user's function in one of their own.
        cells = getattr(inner, "__closure__", None) or ()
        own = [cell.cell_contents for cell in cells if callable(cell.cell_contents)]
        beams = str(getattr(inner, "__module__", "")).startswith("apache_beam.")
        return str(getattr(own[0] if own and beams else inner, "__module__", None) or "builtins")
    return type(fn).__module__


def _catch(leaf: AppliedPTransform) -> PCollection:
    """Give a step its second output."""
    (source, *_) = leaf.inputs
    coder = coders.registry.get_coder(source.element_type)
    # A copy, since the user may apply the same transform elsewhere.
    leaf.transform = copy.copy(leaf.transform)
    fn = CatchingFn(leaf.transform.fn, coder, leaf.full_label)
    leaf.transform.fn = leaf.transform.dofn = fn
    raised = PCollection(
        leaf.inputs[0].pipeline,
        tag=RAISED_TAG,
        element_type=Damaged,
        windowing=source.windowing,
        is_bounded=source.is_bounded,
    )
    raised.producer = leaf
    leaf.add_output(raised, RAISED_TAG)
    return raised


class CatchingFn(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Calls another DoFn; an element that makes it raise becomes `Damaged`."""

    def __init__(self, fn: beam.DoFn, coder: coders.Coder, step: str) -> None:
        """Call `fn`, whose elements `coder` encodes."""
        self._fn = fn
        self._coder = coder
        self._step = step

    def _inspect_process(self) -> Any:
        """Answer Beam, which asks by this name for the arguments of `process`."""
        return get_function_arguments(self._fn, "process")

    def _inspect_setup(self) -> Any:
        return get_function_arguments(self._fn, "setup")

    def _inspect_start_bundle(self) -> Any:
        return get_function_arguments(self._fn, "start_bundle")

    def _inspect_finish_bundle(self) -> Any:
        return get_function_arguments(self._fn, "finish_bundle")

    def process(self, *args: Any, **kwargs: Any) -> Iterable[Any] | None:
        """Return what the other DoFn makes of an element, all of it or nothing."""
        try:
            results = self._fn.process(*args, **kwargs)
            return results if results is None or type(results) is list else list(results)
        except Exception as error:  # noqa: BLE001 - whatever it raises concerns this element
            return [TaggedOutput(RAISED_TAG, self._damaged(args[0], error))]

    def _damaged(self, element: Any, error: Exception) -> Damaged:
        count({"rows_raised": 1})
        return raised_by(element, error, self._coder, self._step)

    def setup(self, *args: Any, **kwargs: Any) -> Any:
        """As the other DoFn does."""
        return self._fn.setup(*args, **kwargs)

    def start_bundle(self, *args: Any, **kwargs: Any) -> Any:
        """As the other DoFn does."""
        return self._fn.start_bundle(*args, **kwargs)

    def finish_bundle(self, *args: Any, **kwargs: Any) -> Any:
        """As the other DoFn does."""
        return self._fn.finish_bundle(*args, **kwargs)

    def teardown(self) -> Any:
        """As the other DoFn does."""
        return self._fn.teardown()


def raised_by(element: Any, error: Exception, coder: coders.Coder, step: str) -> Damaged:
    """Return the damage that an element is which made a function raise."""
    name, said = describe_error(error)
    try:
        raw = coder.encode(element)
    except Exception:  # noqa: BLE001 - what cannot be encoded is shown as it prints
        raw = repr(element).encode(errors="backslashreplace")
    return set_aside(RAISED, raw, message=said, error=name, step=step, digest=digest128(raw))

"""What a run has to do, and why: decided from states that were read once, without Spark."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse.contract import Model, Node, Table
from lakehouse.errors import LakehouseError, one_line
from lakehouse.lake.logs import DeltaLogs
from lakehouse.lake.provenance import Part, Provenance, TableState
from lakehouse.listeners import ByListener
from lakehouse.models.trained_models import Models, ModelState
from lakehouse.settings import Settings
from pipeline.fingerprint import code_fingerprint

State = TableState | ModelState


@dataclass
class Snapshot:
    """The states of all tables and models, read once per run.

    Attributes:
        states: the newest commit or artifact by name; None where there is none.
        damage: what is wrong with those whose state cannot be read.
    """

    states: dict[str, State | None] = field(default_factory=dict)
    damage: dict[str, LakehouseError] = field(default_factory=dict)

    def replace(self, name: str, state: State) -> None:
        """Take over the state of a table or model after a commit."""
        self.damage.pop(name, None)
        self.states[name] = state

    def read(self, node: Node, logs: DeltaLogs, models: Models) -> None:
        """Read the state of one table or model."""
        self.damage.pop(node.name, None)
        self.states[node.name] = None
        try:
            self.states[node.name] = models.state(node) if isinstance(node, Model) else logs.state(node)
        except LakehouseError as damage:
            self.damage[node.name] = damage


def read_snapshot(nodes: Mapping[str, Node], logs: DeltaLogs, models: Models) -> Snapshot:
    """Read the states of all tables and models."""
    snapshot = Snapshot()
    for node in nodes.values():
        snapshot.read(node, logs, models)
    return snapshot


@dataclass(frozen=True)
class Work:
    """What is to be built of a table or model, and why.

    Attributes:
        reason: in words.
        listeners: those whose rows are built, of a table by listener; None for all.
    """

    reason: str
    listeners: frozenset[str] | None = None


@dataclass(frozen=True)
class Step:
    """What is planned for one table or model.

    Attributes:
        node: the table or model.
        work: what is to be built; None where it is up to date as far as the snapshot tells.
        unsettled_inputs: inputs that are built before; if their rows change, this one is built, too.
    """

    node: Node
    work: Work | None
    unsettled_inputs: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why it is built; '' where it is up to date."""
        return self.work.reason if self.work else ""


def plan(nodes: Mapping[str, Node], snapshot: Snapshot, settings: Settings, *, full: bool = False) -> list[Step]:
    """One step per table and model; pure: nothing is read or written.

    Args:
        nodes: those that are to be brought up to date, inputs first.
        snapshot: the states of these and of all their inputs.
        settings: some are parameters of transforms.
        full: build what has a transform even where nothing changed.
    """
    steps: dict[str, Step] = {}
    for node in nodes.values():
        built_before = [steps[name] for name in node.inputs if name in steps]
        unsettled = tuple(step.node.name for step in built_before if step.reason or step.unsettled_inputs)
        steps[node.name] = Step(node, work_on(node, snapshot, settings, full=full), unsettled)
    return list(steps.values())


def work_on(node: Node, snapshot: Snapshot, settings: Settings, *, full: bool = False) -> Work | None:
    """What is out of date of a table or model, or None; tables without a transform never are."""
    if node.transform is None:
        return None
    # First, so that all code is parsed before tables are built in threads.
    wanted = provenance_of(node, snapshot, settings)
    if full:
        return Work("full run")
    damaged = [snapshot.damage[name] for name in (node.name, *node.inputs) if name in snapshot.damage]
    if damaged:
        return Work(one_line(damaged[0]))
    state = snapshot.states.get(node.name)
    if state is None:
        return Work("first build")
    stored = state.provenance
    if stored.code != wanted.code:
        return Work("code changed")
    if stored.parameters != wanted.parameters:
        return Work("settings changed")
    now = wanted.inputs or {}
    if wanted.parts is None or stored.parts is None:
        changed = _differences(stored.inputs, now)
        return Work(f"new {', '.join(changed)}") if changed else None
    apart = _inputs_by_listener(node, snapshot)
    changed = _differences(stored.inputs, {name: version for name, version in now.items() if name not in apart})
    if changed:
        return Work(f"new {', '.join(changed)}")
    return _work_of_listeners(stored.parts, wanted.parts)


def _work_of_listeners(stored: Mapping[str, Part], wanted: Mapping[str, Part]) -> Work | None:
    """Those listeners whose part of a table is out of date, or None."""
    inputs: dict[str, None] = {}
    listeners, with_other_settings = set(), set()
    for listener, part in wanted.items():
        before = stored.get(listener, Part(-1, parameters=part.parameters))
        if changed := _differences(before.inputs, part.inputs):
            listeners.add(listener)
            inputs |= dict.fromkeys(changed)
        if before.parameters != part.parameters:
            with_other_settings.add(listener)
    reasons = [f"new {', '.join(inputs)}"] * bool(inputs) + ["settings changed"] * bool(with_other_settings)
    listeners |= with_other_settings
    # Without their names: reasons are recorded, and a listener can be forgotten.
    reason = f"{', '.join(reasons)} of {len(listeners)} of {len(wanted)} listeners"
    return Work(reason, frozenset(listeners)) if listeners else None


def _differences(before: Mapping[str, int | str] | None, now: Mapping[str, int | str]) -> list[str]:
    """Inputs that have another version now; -1 is that of an input without rows."""
    return [name for name, number in now.items() if (before or {}).get(name, -1) != number]


def _inputs_by_listener(node: Node, snapshot: Snapshot) -> dict[str, TableState]:
    """The inputs of which it is known since when each listener's rows are the same."""
    states = {name: snapshot.states.get(name) for name in node.inputs}
    return {
        name: state
        for name, state in states.items()
        if isinstance(state, TableState) and state.provenance.parts is not None
    }


def provenance_of(
    node: Node, snapshot: Snapshot, settings: Settings, *, run_id: str = "", listeners: frozenset[str] | None = None
) -> Provenance:
    """What a table or model would be made from now.

    Args:
        node: the table or model.
        snapshot: has the states of its inputs.
        settings: some are parameters of transforms.
        run_id: the run that makes it.
        listeners: of a table by listener, those whose parts are given; None for all.
    """
    states = {name: snapshot.states.get(name) for name in node.inputs}
    parameters = {name: settings.parameter(name) for name in node.parameters}
    is_by_listener = isinstance(node, Table) and node.is_by_listener
    own = {name: value for name, value in parameters.items() if is_by_listener and isinstance(value, ByListener)}
    return Provenance(
        run_id=run_id,
        code=code_fingerprint(node),
        parameters={name: str(value) for name, value in parameters.items() if name not in own},
        inputs={name: state.version if state else -1 for name, state in states.items()},
        parts=_parts_of(node, snapshot, own, listeners) if is_by_listener else None,
    )


def _parts_of(
    node: Node, snapshot: Snapshot, parameters: Mapping[str, ByListener], listeners: frozenset[str] | None
) -> dict[str, Part]:
    """What each listener's rows would be made from now: of inputs by listener the listener's own rows.

    A listener who has no rows in any input any more, but has some in the table, is among them.
    """
    apart = _inputs_by_listener(node, snapshot)
    own = snapshot.states.get(node.name)
    known = [*apart.values(), *([own] if isinstance(own, TableState) else [])]
    names = {name for state in known for name in state.provenance.parts or {}}
    return {
        name: Part(
            -1,
            {table: state.version_for(name) for table, state in apart.items()},
            parameters={setting: value[name] for setting, value in parameters.items()},
        )
        for name in names
        if listeners is None or name in listeners
    }

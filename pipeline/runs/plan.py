"""What a run has to do, and why: decided from states that were read once, without Spark."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse.contract import Model, Node
from lakehouse.errors import LakehouseError, one_line
from lakehouse.lake.logs import DeltaLogs
from lakehouse.lake.provenance import Provenance, TableState
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
class Step:
    """What is planned for one table or model.

    Attributes:
        node: the table or model.
        reason: why it is built; '' where it is up to date as far as the snapshot tells.
        unsettled_inputs: inputs that are built before; if their rows change, this one is built, too.
    """

    node: Node
    reason: str
    unsettled_inputs: tuple[str, ...] = ()


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
        steps[node.name] = Step(node, reason_to_build(node, snapshot, settings, full=full), unsettled)
    return list(steps.values())


def reason_to_build(node: Node, snapshot: Snapshot, settings: Settings, *, full: bool = False) -> str:
    """Why a table or model is out of date, or '' where it is not; tables without a transform never are."""
    if node.transform is None:
        return ""
    # First, so that all code is parsed before tables are built in threads.
    wanted = provenance_of(node, snapshot, settings)
    if full:
        return "full run"
    damaged = [snapshot.damage[name] for name in (node.name, *node.inputs) if name in snapshot.damage]
    if damaged:
        return one_line(damaged[0])
    state = snapshot.states.get(node.name)
    if state is None:
        return "first build"
    stored = state.provenance
    if stored.code != wanted.code:
        return "code changed"
    if stored.parameters != wanted.parameters:
        return "settings changed"
    changed = [name for name, number in (wanted.inputs or {}).items() if (stored.inputs or {}).get(name) != number]
    return f"new {', '.join(changed)}" if changed else ""


def provenance_of(node: Node, snapshot: Snapshot, settings: Settings, *, run_id: str = "") -> Provenance:
    """What a table or model would be made from now."""
    states = {name: snapshot.states.get(name) for name in node.inputs}
    return Provenance(
        run_id=run_id,
        code=code_fingerprint(node),
        parameters={name: str(getattr(settings, name)) for name in node.parameters},
        inputs={name: state.version if state else -1 for name, state in states.items()},
    )

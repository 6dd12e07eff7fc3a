"""Read and write a routing plan: JSON to trust, columns to read it fast, YAML and Markdown to look at.

``METRICS/routing_plan/routing_plan.json`` is the plan; the others follow from it. The directory is replaced as a whole.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import polars as pl
from polars.exceptions import PolarsError
from pydantic import BaseModel, ValidationError

from trainroute.config.identity import deciding_hash
from trainroute.config.planning import PlanningConfig
from trainroute.config.routing import RoutingConfig
from trainroute.errors import BrokenPlanError, one_line
from trainroute.parallel import ahead, in_threads
from trainroute.records.artifacts import (
    JsonText,
    artifact_text,
    canonical_json,
    decode_parts,
    refuse_edited,
    require_recorded,
)
from trainroute.records.directories import Replacing, check_replaceable, replaced_directory
from trainroute.records.frames import record_schema, table_of
from trainroute.records.routing import (
    EXPLAINING,
    ROUTING_PLAN_SCHEMA_VERSION,
    CrossSectionalDecision,
    PolicyConfig,
    RoutingMetadata,
    RoutingPlan,
    SymbolDecision,
)
from trainroute.records.routing_columns import POOLED, RoutingColumns, open_columns, write_columns
from trainroute.records.routing_file import (
    COLUMNS_NAME,
    JSON_NAME,
    MEMBERS,
    STEM,
    OpenedRoutingPlan,
    decisions_id,
    routing_plan_file,
)
from trainroute.records.routing_markdown import routing_markdown
from trainroute.records.yaml_text import yaml_document

_OWNED = frozenset({JSON_NAME, COLUMNS_NAME, f"{STEM}.yaml", f"{STEM}.md"})

_POOLED_COLUMNS = record_schema(CrossSectionalDecision)
_TARGETS_AT_ONCE = 10


class _TargetEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cross_sectional: CrossSectionalDecision
    symbols: dict[str, SymbolDecision]


def check_routing_plan_dir(directory: Path) -> None:
    """Refuse a directory that `write_routing_plan` would not replace.

    Raises
    ------
    PlanError
        If it is a file, or holds files that are not a routing plan's.
    """
    check_replaceable(directory, owned=_OWNED)


def write_routing_plan(plan: RoutingPlan, directory: Path | str, *, replaced: Replacing = replaced_directory) -> Path:
    """Write ``routing_plan.{json,parquet,yaml,md}`` into ``directory``, replacing what is there.

    Return the JSON's path. JSON and columns are always written; YAML and Markdown as ``routing.dump_plan_as`` asks.
    ``replaced`` says when the directory takes its place, see `trainroute.records.directories.Together`.

    Raises
    ------
    PlanError
        If the directory cannot be written, or holds files that are not a routing plan's.
    """
    directory = Path(directory)
    config = {"planning": _dumped(plan.planning), "routing": _dumped(plan.routing)}
    written = ([canonical_json(plan.metadata)], [canonical_json(config)], plan.targets_part)
    parts = dict(zip(MEMBERS, written, strict=True))
    with replaced(directory, owned=_OWNED) as fresh:

        def truth() -> None:
            digest = hashlib.sha256()
            with (fresh / JSON_NAME).open("wb") as file:
                for chunk in artifact_text(parts):
                    file.write(chunk)
                    digest.update(chunk)
            origin = {name: b"".join(parts[name]) for name in MEMBERS if name != "targets"}
            write_columns(fresh / COLUMNS_NAME, plan.pooled, plan.pairs, origin=origin, json_sha256=digest.hexdigest())

        def yaml() -> None:
            names = (plan.pooled["target"], plan.pairs["symbol"])
            longest = max((int(name.str.len_bytes().max() or 0) for name in names), default=0)  # type: ignore[arg-type]  # Polars types a maximum as any literal
            with (fresh / f"{STEM}.yaml").open("wb") as file:
                file.writelines(yaml_document(parts, entries=plan.pairs.height, longest_key=longest))

        def markdown() -> None:
            (fresh / f"{STEM}.md").write_text(routing_markdown(plan), encoding="utf-8")

        wanted = {"YAML": yaml, "MARKDOWN": markdown}
        extra = [write for name, write in wanted.items() if name in plan.routing.dump_plan_as]
        in_threads(lambda write: write(), [truth, *extra])
    return directory / JSON_NAME


def read_routing_origin(path: Path | str, *, allow_edited: bool = False) -> tuple[RoutingMetadata, PolicyConfig]:
    """Read only where a routing plan comes from, and the settings in force; its content is checked against its hash.

    Raises
    ------
    PlanNotFoundError
        If it does not exist.
    BrokenPlanError
        If it cannot be trusted.
    """
    path = routing_plan_file(path)
    beside = _columns_beside(path)
    if beside is not None:
        return beside[1:]

    def decode(parts: Mapping[str, JsonText], recorded: str | None) -> tuple[RoutingMetadata, PolicyConfig]:
        require_recorded(recorded, path)
        return _origin(parts, path, allow_edited=allow_edited)

    return decode_parts(path, decode, written=MEMBERS, allow_edited=allow_edited)


def read_routing_plan(
    path: Path | str,
    *,
    targets: Collection[str] | None = None,
    allow_edited: bool = False,
    explained: bool = True,
    opened: OpenedRoutingPlan | None = None,
) -> RoutingPlan:
    """Read a routing plan, given by its directory or its JSON.

    Parameters
    ----------
    path : Path or str
    targets : collection of str, optional
        Decode only the decisions on these targets; the whole file is checked all the same.
    allow_edited : bool
        Read a plan too whose content is not what was written; it gets the ``plan_id`` of what it holds.
    explained : bool
        With the reasons and margins of each pair. Without them a large plan is read from its columns, if they and the
        JSON are as they were written.
    opened : OpenedRoutingPlan, optional
        The file, where it was read already.

    Raises
    ------
    PlanNotFoundError
        If it does not exist.
    BrokenPlanError
        If it is truncated, of an unknown version, or does not fit its schema.
    EditedPlanError
        If its content does not match its ``content_sha256``, ``plan_id`` or ``config_hash``.
    """
    path = routing_plan_file(path)
    laid_out = None if explained else _from_columns(path, targets)
    if laid_out is not None:
        return laid_out

    def decode(parts: Mapping[str, JsonText], recorded: str | None) -> RoutingPlan:
        require_recorded(recorded, path)
        ahead_of = opened if opened is not None and parts is opened.file.parts else None
        return _decoded(parts, path, targets, allow_edited=allow_edited, explained=explained, opened=ahead_of)

    file = None if opened is None else opened.file
    return decode_parts(path, decode, written=MEMBERS, allow_edited=allow_edited, opened=file)


def _columns_beside(path: Path) -> tuple[RoutingColumns, RoutingMetadata, PolicyConfig] | None:
    """Return the columns of a plan given by its JSON, and where it comes from; None where only the JSON can tell."""
    columns = open_columns(path)
    if columns is None:
        return None
    try:
        metadata, policy = _metadata(path, columns.parts), _policy(columns.parts, path)
    except BrokenPlanError:
        return None
    same = metadata.config_hash == deciding_hash(policy.routing, policy.planning)
    return (columns, metadata, policy) if same else None


def _from_columns(path: Path, targets: Collection[str] | None) -> RoutingPlan | None:
    """Return a plan, given by its JSON, without what explains it; None where only the JSON can tell."""
    beside = _columns_beside(path)
    if beside is None:
        return None
    columns, metadata, policy = beside
    try:
        own = msgspec.json.decode(columns.parts[POOLED], type=dict[str, CrossSectionalDecision])
        pooled, pairs = _pooled_table(list(own), list(own.values())), columns.pairs()
        routing = RoutingConfig.model_validate(policy.routing)
        planning = PlanningConfig.model_validate(policy.planning)
    except (KeyError, msgspec.MsgspecError, PolarsError, ValidationError):
        return None
    if targets is not None:
        pooled, pairs = (frame.filter(pl.col("target").is_in(list(targets))) for frame in (pooled, pairs))
    return RoutingPlan(metadata=metadata, routing=routing, planning=planning, pooled=pooled, pairs=pairs)


def _decoded(
    parts: Mapping[str, JsonText],
    path: Path,
    targets: Collection[str] | None,
    *,
    allow_edited: bool,
    explained: bool,
    opened: OpenedRoutingPlan | None,
) -> RoutingPlan:
    entries = partial(_entries, parts.get("targets", b""), targets, opened)
    frames = partial(_frames, entries, explained=explained)
    try:
        with ahead(frames) as decoded:
            plan_id = None if opened is None else opened.plan_id
            metadata, policy = _origin(parts, path, allow_edited=allow_edited, plan_id=plan_id)
        routing = RoutingConfig.model_validate(policy.routing)
        planning = PlanningConfig.model_validate(policy.planning)
        pooled, pairs = decoded()
    except (msgspec.DecodeError, msgspec.ValidationError, ValidationError, UnicodeDecodeError, OverflowError) as error:
        raise BrokenPlanError(f"{path}: does not fit the schema ({one_line(error)}); write it again") from None
    return RoutingPlan(metadata=metadata, routing=routing, planning=planning, pooled=pooled, pairs=pairs)


def _origin(
    parts: Mapping[str, JsonText], path: Path, *, allow_edited: bool, plan_id: str | None = None
) -> tuple[RoutingMetadata, PolicyConfig]:
    """Decode metadata and settings, with the ``config_hash`` and ``plan_id`` of what is there.

    ``plan_id``: that of the decisions with the ``config_hash`` of the metadata, where it is known already.
    """
    metadata, policy = _metadata(path, parts), _policy(parts, path)
    targets, config_hash = [parts.get("targets", b"{}")], deciding_hash(policy.routing, policy.planning)
    plan_id = plan_id or decisions_id(metadata.config_hash, targets)
    if metadata.plan_id != plan_id:
        refuse_edited(f"{path}: its decisions do not match its plan_id: edited", allowed=allow_edited)
    if metadata.config_hash != config_hash:
        refuse_edited(f"{path}: its config does not match its config_hash: edited", allowed=allow_edited)
        plan_id = decisions_id(config_hash, targets)
    return msgspec.structs.replace(metadata, config_hash=config_hash, plan_id=plan_id), policy


def _policy(parts: Mapping[str, JsonText], path: Path) -> PolicyConfig:
    try:
        return msgspec.json.decode(parts.get("config", b""), type=PolicyConfig)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise BrokenPlanError(f"{path}: config does not fit the schema ({one_line(error)}); write it again") from None


def _metadata(path: Path, parts: Mapping[str, JsonText]) -> RoutingMetadata:
    try:
        version = msgspec.json.decode(parts.get("metadata", b"{}"), type=dict[str, msgspec.Raw]).get("schema_version")
        if version is None or bytes(version) != str(ROUTING_PLAN_SCHEMA_VERSION).encode():
            shown = "missing" if version is None else bytes(version).decode()
            raise BrokenPlanError(
                f"{path}: schema_version is {shown}, expected {ROUTING_PLAN_SCHEMA_VERSION}; "
                "it was written by another version: run 'trainroute route' again"
            )
        return msgspec.json.decode(parts["metadata"], type=RoutingMetadata)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise BrokenPlanError(f"{path}: metadata do not fit the schema ({one_line(error)}); write it again") from None


def _entries(
    targets: JsonText, wanted: Collection[str] | None, opened: OpenedRoutingPlan | None
) -> dict[str, JsonText | msgspec.Raw]:
    """Return the JSON of each wanted target's entry, those of a few without looking at the others."""
    if opened is not None and wanted is not None and opened.entries.keys() >= set(wanted):
        return {name: opened.entries[name] for name in wanted}
    entries = msgspec.json.decode(targets, type=dict[str, msgspec.Raw])
    return {name: entry for name, entry in entries.items() if wanted is None or name in wanted}


def _frames(
    entries_of: Callable[[], dict[str, JsonText | msgspec.Raw]], *, explained: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decode the decisions, sorted by name, strictly typed: some targets at a time, so that few are objects at once."""
    entries = entries_of()
    names = sorted(entries)
    decoder = msgspec.json.Decoder(_TargetEntry)
    columns = record_schema(SymbolDecision, without=() if explained else EXPLAINING)
    own: list[CrossSectionalDecision] = []
    tables = [pl.DataFrame(schema={"target": pl.String(), "symbol": pl.String(), **columns})]
    for start in range(0, len(names), _TARGETS_AT_ONCE):
        decoded = [(name, decoder.decode(entries[name])) for name in names[start : start + _TARGETS_AT_ONCE]]
        own += [entry.cross_sectional for _, entry in decoded]
        of_target = [name for name, entry in decoded for _ in entry.symbols]
        symbols = [symbol for _, entry in decoded for symbol in sorted(entry.symbols)]
        decisions = [entry.symbols[symbol] for _, entry in decoded for symbol in sorted(entry.symbols)]
        pair = [pl.Series("target", of_target, pl.String()), pl.Series("symbol", symbols, pl.String())]
        tables.append(pl.DataFrame(pair).hstack(table_of(decisions, columns)))
    return _pooled_table(names, own), pl.concat(tables)


def _pooled_table(names: Sequence[str], decisions: Sequence[CrossSectionalDecision]) -> pl.DataFrame:
    return table_of(decisions, _POOLED_COLUMNS).select(pl.Series("target", names, dtype=pl.String), pl.all())


def _dumped(section: BaseModel) -> dict[str, object]:
    return section.model_dump(mode="json")

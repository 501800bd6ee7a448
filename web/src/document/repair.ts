/**
 * Repairs a level of a saved workflow whose nodes or links are damaged. The server applies the same
 * rules (engine/graph/repair.py), so that an id means the same node in both: change both together.
 * The rules are in `docs/workflow_files.md`.
 */
import { INPUTS, OUTPUTS } from "./graph";
import { equalJson, isObject, type Json, type JsonObject } from "./json";
import { listOf, typeOf } from "./values";

interface Damage {
  /** Nodes without an id, or with the id of an earlier node. */
  renamed: number;
  /** Entries of the lists of nodes and links that are not nodes or links. */
  unread: number;
  /** Links that only the table or only the nodes had, or that had the id of another link. */
  joined: number;
}

interface Repaired {
  /** The given level itself where nothing is damaged. */
  value: JsonObject;
  damage: Damage;
}

interface Entry {
  /** The id in the file; empty for none. */
  savedId: string;
  /** The id after the repair. */
  key: string;
  node: JsonObject;
}

interface Wire {
  id: string;
  from: string;
  fromSlot: number;
  to: string;
  toSlot: number;
  /** As in the file; null for a link that the repair added. */
  saved: Json;
}

/**
 * Repairs a level: each node gets a unique id, each link its intended ends. `isInside` says that
 * the level is a subgraph's, where two ids stand for the boundary.
 */
export function repairLevel(value: JsonObject, isInside: boolean): Repaired {
  const damage: Damage = { renamed: 0, unread: 0, joined: 0 };
  const entries = new Entries(value, isInside, damage);
  const table = new Table(value, entries, damage);
  table.joinFromTable();
  table.joinFromNodes();
  if (damage.renamed + damage.joined === 0) return { value, damage };
  const links = table.written();
  const hasLinks = "links" in value || links.length > 0;
  return {
    value: { ...value, nodes: entries.written(), ...(hasLinks ? { links } : {}) },
    damage,
  };
}

/** Whether an entry of the list of nodes is a node: it has a type. */
export function isNode(value: Json): value is JsonObject & { type: string } {
  return isObject(value) && typeof value.type === "string" && value.type !== "";
}

/** Whether an entry of the list of links is a link: it has an id and two ends. */
export function isLink(value: Json): boolean {
  return wireOf(value) !== null;
}

/** An id as text; empty for a value that is not an id. */
function idIn(value: Json | undefined): string {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  return typeof value === "string" || typeof value === "bigint" ? String(value) : "";
}

/** A generator of new ids, counting up from the highest number in use. */
function freshAfter(ids: readonly string[]): () => string {
  let last = ids
    .filter((each) => /^-?\d{1,15}$/.test(each))
    .reduce((most, each) => Math.max(most, Number(each)), 0);
  return () => {
    last += 1;
    return String(last);
  };
}

/** A key in the form used in files: a number where possible. */
function written(key: string): Json {
  return /^-?\d{1,15}$/.test(key) ? Number(key) : key;
}

/** The boundary's ids, named by links inside a subgraph. Reserved at the root too. */
const BOUNDARY_IDS: ReadonlySet<string> = new Set([INPUTS, OUTPUTS]);

class Entries {
  readonly all: readonly Entry[];
  readonly byKey: ReadonlyMap<string, Entry>;
  readonly #list: readonly Json[];
  readonly #bySavedId = new Map<string, Entry[]>();

  constructor(value: JsonObject, isInside: boolean, damage: Damage) {
    this.#list = listOf(value.nodes);
    const state = isObject(value.state) ? value.state : {};
    const last = idIn(value.last_node_id ?? state.lastNodeId);
    const fresh = freshAfter([
      ...this.#list.map((each) => (isObject(each) ? idIn(each.id) : "")),
      last,
    ]);
    const taken = new Set(BOUNDARY_IDS);
    this.all = this.#list.filter(isNode).map((node) => {
      const savedId = idIn(node.id);
      const isFree = savedId !== "" && savedId !== "__proto__" && !taken.has(savedId);
      if (!isFree) damage.renamed += 1;
      const key = isFree ? savedId : fresh();
      taken.add(key);
      return { savedId, key, node: isFree ? node : { ...node, id: written(key) } };
    });
    damage.unread += this.#list.length - this.all.length;
    this.byKey = new Map(this.all.map((each) => [each.key, each]));
    for (const each of this.all) {
      if (each.savedId === "" || (isInside && BOUNDARY_IDS.has(each.savedId))) continue;
      const sameId = this.#bySavedId.get(each.savedId);
      if (sameId === undefined) this.#bySavedId.set(each.savedId, [each]);
      else sameId.push(each);
    }
  }

  /** Of nodes with the same id, the first one, unless only a later one names the link. */
  keyFor(id: string, side: "inputs" | "outputs", link: string): string {
    const sameId = this.#bySavedId.get(id) ?? [];
    if (sameId.length < 2) return sameId[0]?.key ?? id;
    const naming = sameId.find(({ node }) =>
      listOf(node[side]).some((each) => slotNamesLink(each, link)),
    );
    return (naming ?? sameId[0])?.key ?? id;
  }

  written(): Json[] {
    const nodes = this.all.values();
    return this.#list.map((each) => (isNode(each) ? (nodes.next().value?.node ?? each) : each));
  }
}

class Table {
  readonly #entries: Entries;
  readonly #damage: Damage;
  readonly #wires = new Map<string, Wire>();
  /** In the file's order: links by id, and other entries unchanged. */
  readonly #list: (Json | { wire: string })[] = [];

  constructor(value: JsonObject, entries: Entries, damage: Damage) {
    this.#entries = entries;
    this.#damage = damage;
    const links = listOf(value.links);
    const read = links.map(wireOf);
    const state = isObject(value.state) ? value.state : {};
    const last = idIn(value.last_link_id ?? state.lastLinkId);
    const fresh = freshAfter([...read.map((each) => each?.id ?? ""), last]);
    read.forEach((wire, index) => {
      if (wire !== null) this.#addSavedWire(wire, fresh);
      else {
        this.#list.push(links[index] ?? null);
        if (links[index] !== null) damage.unread += 1;
      }
    });
  }

  #addSavedWire(wire: Wire, fresh: () => string): void {
    const from = this.#entries.keyFor(wire.from, "outputs", wire.id);
    const to = this.#entries.keyFor(wire.to, "inputs", wire.id);
    const first = this.#wires.get(wire.id);
    const made = { ...wire, from, to };
    if (first === undefined) {
      this.#add(made);
      return;
    }
    const isSame = endsOf(first).every((each, index) => each === endsOf(made)[index]);
    // An exact duplicate of a link is dropped.
    if (isSame) return;
    const next = { ...made, id: fresh() };
    this.#damage.joined += 1;
    const isSameInput = first.to === to && first.toSlot === wire.toSlot;
    const target = this.#entries.byKey.get(to);
    if (
      target !== undefined &&
      !isSameInput &&
      idIn(inputAt(target, wire.toSlot)?.link) === wire.id
    ) {
      this.#nameInput(target, wire.toSlot, next.id);
      this.#nameOutput(next);
    }
    this.#add(next);
  }

  #add(wire: Wire): void {
    this.#wires.set(wire.id, wire);
    this.#list.push({ wire: wire.id });
  }

  /** Connects links of the table that no input names, where the input is free and the types fit. */
  joinFromTable(): void {
    const named = new Set(
      this.#entries.all.flatMap(({ node }) => listOf(node.inputs).map((each) => linkIn(each))),
    );
    for (const wire of this.#wires.values()) {
      if (named.has(wire.id)) continue;
      const target = this.#entries.byKey.get(wire.to);
      const input = target === undefined ? undefined : inputAt(target, wire.toSlot);
      const output = outputAt(this.#entries.byKey.get(wire.from), wire.fromSlot);
      if (target === undefined || input === undefined || output === undefined) continue;
      if (this.#wires.has(idIn(input.link)) || !fits(output.type, input.type)) continue;
      this.#nameInput(target, wire.toSlot, wire.id);
      this.#nameOutput(wire);
      this.#damage.joined += 1;
    }
  }

  /** Adds links to the table that it lacks and that an input and exactly one output name. */
  joinFromNodes(): void {
    const missing = this.#entries.all.flatMap(({ key, node }) =>
      listOf(node.inputs).flatMap((each, slot) => {
        const link = linkIn(each);
        return link === "" || this.#wires.has(link) ? [] : [{ link, key, slot }];
      }),
    );
    if (missing.length === 0) return;
    const origins = new Map<string, [Entry, number][]>();
    for (const entry of this.#entries.all) {
      listOf(entry.node.outputs).forEach((output, slot) => {
        const links = isObject(output) ? listOf(output.links) : [];
        for (const link of new Set(links.map(idIn))) {
          origins.set(link, [...(origins.get(link) ?? []), [entry, slot]]);
        }
      });
    }
    for (const { link, key, slot } of missing) {
      const found = origins.get(link) ?? [];
      const [origin] = found;
      const target = this.#entries.byKey.get(key);
      if (found.length !== 1 || origin === undefined || this.#wires.has(link)) continue;
      const [from, fromSlot] = origin;
      const output = outputAt(from, fromSlot);
      const input = target === undefined ? undefined : inputAt(target, slot);
      if (!fits(output?.type, input?.type)) continue;
      this.#add({ id: link, from: from.key, fromSlot, to: key, toSlot: slot, saved: null });
      this.#damage.joined += 1;
    }
  }

  written(): Json[] {
    return this.#list.map((each): Json => {
      const wire =
        isObject(each) && "wire" in each ? this.#wires.get(String(each.wire)) : undefined;
      return wire === undefined ? (each as Json) : this.#writtenWire(wire);
    });
  }

  #writtenWire(wire: Wire): Json {
    const before = wire.saved === null ? null : wireOf(wire.saved);
    if (before !== null && equalJson(endsOf(before), endsOf(wire)) && before.id === wire.id) {
      return wire.saved;
    }
    const [id, from, to] = [written(wire.id), written(wire.from), written(wire.to)];
    if (isObject(wire.saved)) return { ...wire.saved, id, origin_id: from, target_id: to };
    const type = typeOf(outputAt(this.#entries.byKey.get(wire.from), wire.fromSlot)?.type);
    const rest = Array.isArray(wire.saved) ? wire.saved.slice(5) : [type];
    return [id, from, wire.fromSlot, to, wire.toSlot, ...rest];
  }

  #nameInput(target: Entry, slot: number, link: string): void {
    const inputs = listOf(target.node.inputs);
    const input = inputs[slot];
    if (!isObject(input)) return;
    target.node = {
      ...target.node,
      inputs: inputs.with(slot, { ...input, link: written(link) }),
    };
  }

  #nameOutput({ id, from, fromSlot }: Wire): void {
    const origin = this.#entries.byKey.get(from);
    const outputs = listOf(origin?.node.outputs);
    const output = outputs[fromSlot];
    if (origin === undefined || !isObject(output) || slotNamesLink(output, id)) return;
    const links = [...listOf(output.links), written(id)];
    origin.node = { ...origin.node, outputs: outputs.with(fromSlot, { ...output, links }) };
  }
}

const LINK_FIELDS = ["id", "origin_id", "origin_slot", "target_id", "target_slot"] as const;

function wireOf(saved: Json): Wire | null {
  const fields = isObject(saved) ? LINK_FIELDS.map((name) => saved[name]) : listOf(saved);
  const [id, from, to] = [fields[0], fields[1], fields[3]].map(idIn);
  const [fromSlot, toSlot] = [fields[2], fields[4]].map((each) => Number(each ?? Number.NaN));
  const isWhole = Number.isFinite(fromSlot) && Number.isFinite(toSlot);
  if (!id || !from || !to || fromSlot === undefined || toSlot === undefined || !isWhole)
    return null;
  return { id, from, fromSlot: Math.trunc(fromSlot), to, toSlot: Math.trunc(toSlot), saved };
}

function endsOf({ from, fromSlot, to, toSlot }: Wire): Json[] {
  return [from, fromSlot, to, toSlot];
}

function inputAt({ node }: Entry, slot: number): JsonObject | undefined {
  const found = listOf(node.inputs)[slot];
  return isObject(found) ? found : undefined;
}

function outputAt(entry: Entry | undefined, slot: number): JsonObject | undefined {
  const found = listOf(entry?.node.outputs)[slot];
  return isObject(found) ? found : undefined;
}

function linkIn(slot: Json): string {
  return isObject(slot) ? idIn(slot.link) : "";
}

/** Whether a slot names this link. */
function slotNamesLink(slot: Json, link: string): boolean {
  return (
    linkIn(slot) === link ||
    (isObject(slot) && listOf(slot.links).some((each) => idIn(each) === link))
  );
}

const ANY_TYPE: ReadonlySet<string> = new Set(["*", "COMFY_MATCHTYPE_V3"]);

/**
 * Whether types in the form used in files may be connected, by the rule of
 * `state/nodes/sockets.ts`.
 */
function fits(output: Json | undefined, input: Json | undefined): boolean {
  const [one, other] = [typeOf(output), typeOf(input)].map((each) => each.toUpperCase());
  if (one === undefined || other === undefined) return false;
  if (one === other || ANY_TYPE.has(one) || ANY_TYPE.has(other)) return true;
  const accepted = new Set(other.split(",").map((each) => each.trim()));
  return one.split(",").some((each) => accepted.has(each.trim()));
}

/** A typed client of the packs of nodes on the server: what the last start said of each. */
import { type Codec, makeTransport } from "./transport";

type PackState =
  | "loading"
  | "loaded"
  | "failed"
  | "crashed"
  | "hung"
  | "disabled"
  | "isolated"
  | "new";

export interface Pack {
  name: string;
  version: string;
  state: PackState;
  /** Of its import. */
  seconds: number;
  /** Its classes. */
  nodes: string[];
  /** One sentence; empty if nothing is wrong. */
  error: string;
  traceback: string[];
  /** The command that would install what it lacks; empty if there is none. */
  install: string;
  warnings: string[];
  /** Classes whose interface cannot be read, with the reasons. */
  left_out: Record<string, string>;
  enabled: boolean;
  /** Whether it is to run in a process and an environment of its own. */
  isolated: boolean;
  /** Whether it may use the network, where it is isolated. */
  network: boolean;
  /** Bytes that its own process takes now; 0 without one. */
  memory: number;
  /** What it requires that the versions here do not meet. */
  clashes: string[];
  /** Classes that other packs have too; the plain name means that of the first pack. */
  claims: Record<string, string[]>;
}

interface PackChange {
  enabled?: boolean;
  isolated?: boolean;
  network?: boolean;
}

/** The environment of an isolated pack, made or not. */
export interface PackEnvironment {
  is_made: boolean;
  /** Requirements that are installed into it. */
  wanted: string[];
  /** Requirements that are met here. */
  present: string[];
  /** Requirements that are never installed again. */
  left_out: string[];
}

const PACKS = "/api/calotype/packs";

export function makePacks(codec: Codec, fetchImpl?: typeof fetch) {
  const { read, post } = makeTransport(codec, fetchImpl);
  return {
    async list(): Promise<Pack[]> {
      return (await read<Record<string, unknown>[]>(PACKS)).map(readPack);
    },
    change: (name: string, change: PackChange) =>
      post(`${PACKS}/${encodeURIComponent(name)}`, change),
    async environment(name: string): Promise<PackEnvironment> {
      const found = await read<Record<string, unknown>>(
        `${PACKS}/${encodeURIComponent(name)}/environment`,
      );
      return {
        is_made: found.is_made === true,
        wanted: texts(found.wanted),
        present: texts(found.present),
        left_out: texts(found.left_out),
      };
    },
    reload: () => post(`${PACKS}/reload`, {}),
    /** Makes the plain name of a class mean that of this pack. */
    choose: (type: string, pack: string) => post(`${PACKS}/choose`, { class: type, pack }),
  };
}

/** A report of the server; what it does not say has its plain value. */
function readPack(given: Record<string, unknown>): Pack {
  const state = text(given.state) as PackState;
  return {
    name: text(given.name),
    version: text(given.version),
    state,
    seconds: typeof given.seconds === "number" ? given.seconds : 0,
    nodes: texts(given.nodes),
    error: text(given.error),
    traceback: texts(given.traceback),
    install: text(given.install),
    warnings: texts(given.warnings),
    left_out: mapOf(given.left_out, text),
    enabled: typeof given.enabled === "boolean" ? given.enabled : state !== "disabled",
    isolated: typeof given.isolated === "boolean" ? given.isolated : state === "isolated",
    network: given.network !== false,
    memory: typeof given.memory_used === "number" ? given.memory_used : 0,
    clashes: texts(given.clashes),
    claims: mapOf(given.claims, texts),
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function mapOf<Value>(given: unknown, read: (value: unknown) => Value): Record<string, Value> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return {};
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, read(value)]));
}

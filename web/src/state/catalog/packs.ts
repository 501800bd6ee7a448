/** The packs of nodes on the server: read while their panel is open, and changed by it. */
import { create } from "zustand";
import { makePacks, type Pack } from "../../api/packs";
import { parseJson, writeJson } from "../../document/json";
import { notifyError, useView } from "../session/view";
import { refreshCatalog } from "./catalog";

/** In milliseconds; while packs load, so that a missed event does no harm. */
const AGAIN = 1_500;
/** In milliseconds: so long after a change, its start may still be to come. */
const START = 12_000;
/** In milliseconds; a worker that starts reports many packs one after the other. */
const COLLECT = 500;

interface Packs {
  /** Those with faults first, then by name; null until they were read. */
  all: readonly Pack[] | null;
  /** Whether the server has been asked for a change and has not answered yet. */
  busy: boolean;
}

export const usePacks = create<Packs>(() => ({ all: null, busy: false }));

const client = makePacks({ parse: parseJson, write: writeJson });

/** Whether a pack did not load, and not because it was switched off. */
export function isFaulty({ state }: Pack): boolean {
  return state === "failed" || state === "crashed" || state === "hung";
}

/** Whether what was switched is not yet so: the worker has to start again. */
export function waitsForReload({ state, enabled, isolated }: Pack): boolean {
  if (state === "loading") return false;
  if (enabled && (state === "loaded" || state === "isolated"))
    return isolated !== (state === "isolated");
  return enabled ? state === "disabled" || state === "new" : state !== "disabled";
}

/** When the last change that was asked for should have begun. */
let expected = 0;

export function isLoading({ state }: Pack): boolean {
  return state === "loading";
}

/** Reads the list anew; again after a moment as long as a pack is loading, or soon may be. */
export async function readPacks(): Promise<readonly Pack[]> {
  const read = await client.list();
  const all = [...read].sort(
    (one, other) =>
      Number(isFaulty(other)) - Number(isFaulty(one)) || one.name.localeCompare(other.name),
  );
  usePacks.setState({ all });
  if (all.some(isLoading)) expected = 0;
  if ((all.some(isLoading) || Date.now() < expected) && isShown()) {
    clearTimeout(again);
    again = setTimeout(() => void readPacks().catch(notifyError), AGAIN);
  }
  return all;
}

let again: ReturnType<typeof setTimeout> | undefined;

export function switchPack(name: string, enabled: boolean): Promise<void> {
  return change(() => client.change(name, { enabled }));
}

/** What isolating a pack would install. */
export const readEnvironment = (name: string) => client.environment(name);

/** Gives a pack a process and an environment of its own, or has it share those of all again. */
export function isolatePack(name: string, isolated: boolean): Promise<void> {
  return change(() => client.change(name, { isolated }));
}

export function switchNetwork(name: string, network: boolean): Promise<void> {
  return change(() => client.change(name, { network }));
}

export function reloadPacks(): Promise<void> {
  return change(() => client.reload());
}

export function choosePack(type: string, pack: string): Promise<void> {
  return change(() => client.choose(type, pack));
}

async function change(act: () => Promise<unknown>): Promise<void> {
  usePacks.setState({ busy: true });
  try {
    await act();
    expected = Date.now() + START;
    await readPacks();
  } catch (error) {
    notifyError(error);
  } finally {
    usePacks.setState({ busy: false });
  }
}

let pending: ReturnType<typeof setTimeout> | undefined;

/** The server said that packs changed: when all are loaded, their classes are read again. */
export function packsChanged(): void {
  if (pending !== undefined) return;
  pending = setTimeout(() => {
    pending = undefined;
    void readChanged().catch(notifyError);
  }, COLLECT);
}

async function readChanged(): Promise<void> {
  const all = await readPacks();
  if (!all.some(isLoading)) await refreshCatalog();
}

function isShown(): boolean {
  return useView.getState().sheet === "packs";
}

/** What is open survives a reload, a crash and another browser: kept here and on the server. */

import { Refused } from "../api/client";
import { isObject, type Json, type JsonObject, parseJson, writeJson } from "../document/json";
import { NotAWorkflow } from "../document/read";
import { writeGraph } from "../document/write";
import { openDefault } from "./files";
import { client } from "./server";
import { isDirty, openWorkflow, useStudio, type Viewport } from "./studio";
import { tell, tellError } from "./view";

const KEY = "calotype.draft";
const FILE = "drafts/session.json";
const LOCAL_AFTER = 300;
const SERVER_AFTER = 2_000;

export function draftOfTabs(): JsonObject {
  const { tabs, active } = useStudio.getState();
  return {
    active: tabs.findIndex((each) => each.id === active),
    tabs: tabs.map((tab) => ({
      id: tab.id,
      name: tab.name,
      path: tab.path,
      dirty: isDirty(tab),
      viewport: tab.viewport === null ? null : { ...tab.viewport },
      workflow: writeGraph(tab.workflow),
    })),
  };
}

/** Opens what was open; the default workflow where nothing was. Says whether anything was. */
export async function restore(catalog: Promise<void>): Promise<boolean> {
  const here = localStorage.getItem(KEY);
  const [there] = await Promise.all([here === null ? remoteDraft() : null, catalog]);
  const local = readDraft(here);
  if (local !== null && openDraft(local)) return true;
  const remote = readDraft(here === null ? there : await remoteDraft());
  if (remote !== null && openDraft(remote)) return true;
  openDefault();
  return false;
}

async function remoteDraft(): Promise<string | null> {
  try {
    return await client.load(FILE);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tellError(error);
    return null;
  }
}

function readDraft(text: string | null): Json | null {
  if (text === null) return null;
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    tell("What was open last time could not be read.");
    return null;
  }
}

function openDraft(draft: Json): boolean {
  const tabs = isObject(draft) && Array.isArray(draft.tabs) ? draft.tabs : [];
  const opened = tabs.flatMap((each) => {
    if (!isObject(each) || !isObject(each.workflow)) return [];
    try {
      const id = openWorkflow(each.workflow, {
        ...(typeof each.id === "string" ? { id: each.id } : {}),
        name: String(each.name),
        path: typeof each.path === "string" ? each.path : null,
        viewport: isObject(each.viewport) ? (each.viewport as unknown as Viewport) : null,
        dirty: each.dirty === true,
      });
      return [id];
    } catch (error) {
      if (!(error instanceof NotAWorkflow)) throw error;
      tellError(error);
      return [];
    }
  });
  const active = opened[isObject(draft) ? Number(draft.active) : 0];
  if (active !== undefined) useStudio.setState({ active });
  return opened.length > 0;
}

/** Keeps drafts from now on. Returns what ends it. */
export function keepDrafts(): () => void {
  let here: ReturnType<typeof setTimeout> | undefined;
  let there: ReturnType<typeof setTimeout> | undefined;
  let seen: unknown = useStudio.getState().tabs;
  const keepHere = () => {
    clearTimeout(here);
    const text = writeJson(draftOfTabs());
    try {
      localStorage.setItem(KEY, text);
    } catch (error) {
      // The browser's room is full: the server's copy remains, the older one here must not win.
      if (!(error instanceof DOMException)) throw error;
      localStorage.removeItem(KEY);
    }
  };
  const keepThere = async () => {
    try {
      await client.save(FILE, writeJson(draftOfTabs()), true);
    } catch {
      // The copy here is kept; the next edit tries again, and the run bar says the server is away.
    }
  };
  const stop = useStudio.subscribe(({ tabs }) => {
    if (tabs === seen) return;
    seen = tabs;
    clearTimeout(here);
    clearTimeout(there);
    here = setTimeout(keepHere, LOCAL_AFTER);
    there = setTimeout(() => void keepThere(), SERVER_AFTER);
  });
  window.addEventListener("pagehide", keepHere);
  return () => {
    stop();
    clearTimeout(here);
    clearTimeout(there);
    window.removeEventListener("pagehide", keepHere);
  };
}

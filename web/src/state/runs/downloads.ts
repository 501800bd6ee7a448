/** Downloads of models on the server: begun, paused and allowed by the user only. */
import { create } from "zustand";
import {
  type AllowedHost,
  type DownloadAction,
  type Facts,
  type ModelNeed,
  makeDownloads,
} from "../../api/downloads";
import type { DownloadState, DownloadsChanged } from "../../api/types";
import { parseJson, writeJson } from "../../document/json";
import { t } from "../../words/words";
import { refreshCatalog } from "../catalog/catalog";
import { missingModels, needsOf } from "../files/needs";
import { useStudio } from "../session/studio";
import { notify, notifyError, openSheet, useView } from "../session/view";
import { checkAgain } from "./checking";

interface Downloads {
  all: Readonly<Record<string, DownloadState>>;
  /** The hosts that the user has allowed; null until they were read. */
  hosts: readonly AllowedHost[] | null;
  /** Tokenizers that are not part of the program; none until they were read. */
  tokenizers: readonly ModelNeed[];
  /** What hosts said of files, by address. */
  facts: Readonly<Record<string, Facts>>;
}

export const useDownloads = create<Downloads>(() => ({
  all: {},
  hosts: null,
  tokenizers: [],
  facts: {},
}));

/** Their folder below `models/`. */
const TOKENIZERS = "tokenizers";

const client = makeDownloads({ parse: parseJson, write: writeJson });

export async function readDownloads(): Promise<void> {
  const { downloads, hosts, tokenizers } = await client.list();
  useDownloads.setState({
    all: Object.fromEntries(downloads.map((each) => [each.id, each])),
    hosts,
    tokenizers,
  });
}

/** Takes the server's news; a finished file appears in the lists at once. */
export function onDownloadsChanged({ changed, gone }: DownloadsChanged): void {
  const before = useDownloads.getState().all;
  const all = { ...before, ...Object.fromEntries(changed.map((each) => [each.id, each])) };
  for (const id of gone) delete all[id];
  useDownloads.setState({ all });
  for (const each of changed) {
    if (each.state !== before[each.id]?.state) reportEnd(each);
  }
  if (changed.some((each) => each.state === "done" && before[each.id]?.state !== "done")) {
    refreshCatalog().then(checkAgain, notifyError);
    // A tokenizer is in no list of files.
    if (changed.some((each) => each.kind === TOKENIZERS)) readDownloads().catch(notifyError);
  }
}

/** Says what a download has come to, where its list is not shown anyway. */
function reportEnd({ name, state, message, asks_host: host }: DownloadState): void {
  if (useView.getState().sheet === "needs") return;
  const show = { label: t("Show downloads"), run: () => openSheet("needs") };
  if (state === "done") notify(t("{{name}} is downloaded.", { name }), show);
  if (state === "asks") {
    notify(t("{{name}} waits until {{host}} is allowed.", { name, host: host ?? "" }), show);
  }
  if (state === "failed") {
    notify(
      t("{{name}} could not be downloaded: {{reason}}", { name, reason: message ?? "" }),
      show,
    );
  }
}

/** The download of a model; undefined where there is none. */
export function downloadOf(
  all: Readonly<Record<string, DownloadState>>,
  need: ModelNeed,
): DownloadState | undefined {
  return Object.values(all).find(
    (each) => each.name === need.name && each.kind === need.kind && each.state !== "done",
  );
}

/** Begins a download; `confirmed`: the user has read the warning about its format. */
export async function startDownload(need: ModelNeed, confirmed = false): Promise<void> {
  const { name, kind, url } = need;
  if (kind === null || url === null) return;
  const license = need.license ?? useDownloads.getState().facts[url]?.license ?? null;
  const made = await client.add({
    ...{ name, kind, url, confirmed },
    ...(need.sha256 === null ? {} : { sha256: need.sha256 }),
    ...(license === null ? {} : { license }),
  });
  useDownloads.setState(({ all }) => ({ all: { [made.id]: made, ...all } }));
}

export async function actOnDownload(id: string, action: DownloadAction): Promise<void> {
  await client.act(id, action);
}

/** Allows a host from now on, and asks it about the files of the open workflow. */
export async function allowHost(host: string, isPrivate = false): Promise<void> {
  const { hosts } = await client.allow(host, { private: isPrivate });
  useDownloads.setState({ hosts });
  await lookUp();
}

export async function forbidHost(host: string): Promise<void> {
  const { hosts } = await client.allow(host, { allowed: false });
  useDownloads.setState({ hosts });
}

export function isAllowed(hosts: readonly AllowedHost[] | null, host: string | null): boolean {
  return hosts?.some((each) => each.host === host) ?? false;
}

/** Asks allowed hosts for the sizes and licences of missing files, one after the other. */
export async function lookUp(): Promise<void> {
  for (const { url, host } of missingModels(needsOf(useStudio.getState().active))) {
    const { hosts, facts } = useDownloads.getState();
    if (url === null || facts[url] !== undefined || !isAllowed(hosts, host)) continue;
    // A host that does not answer is no reason to interrupt: the size stays unknown.
    const found = await client.look(url).catch(() => ({ size: null, sha256: null, license: null }));
    useDownloads.setState((state) => ({ facts: { ...state.facts, [url]: found } }));
  }
}

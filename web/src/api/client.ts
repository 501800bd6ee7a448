/** A typed client of the server's HTTP interface, grouped by topic. */
import { routeUrl } from "./address";
import { type Catalog, readCatalog } from "./catalog";
import type { Needs } from "./downloads";
import type { DeclaredExtension } from "./extensions";
import type { ImageFile, Job, JobDetail, JobStatus } from "./jobs";
import { type BatchPlace, resultsRoutes } from "./results";
import { type Codec, makeTransport, nullIfNotFound, type Transport } from "./transport";
import type { Logs, Plan } from "./types";

/** In milliseconds. A check is repeated at the next edit, so a short limit is enough. */
const CHECK_LIMIT = 30_000;
const MODELS = "/api/experiment/models";

export interface InputProblem {
  type: string;
  message: string;
  details: string;
  extra_info: {
    input_name?: string;
    received_value?: unknown;
    received_type?: string;
    input_config?: [unknown, Record<string, unknown>?] | null;
    cycle_nodes?: string[];
    nearest?: string[];
  };
}

export interface NodeProblems {
  class_type: string;
  errors: InputProblem[];
  dependent_outputs: string[];
}

export interface ValidationReport {
  error: { type: string; message: string; details: string } | null;
  node_errors: Record<string, NodeProblems>;
  /** Classes that are not installed, with the nodes of each. */
  missing?: Record<string, string[]>;
  /** Why classes are missing, where the server knows it: a sentence without its period. */
  absences?: Record<string, string>;
}

export interface CheckResult {
  prompt: Record<string, unknown>;
  report: ValidationReport;
  plan: Plan;
  needs?: Needs;
}

export interface ModelKind {
  name: string;
  folders: string[];
}

/** A file of weights; `size` in bytes, `modified` in seconds since 1970. */
export interface ModelFile {
  name: string;
  pathIndex: number;
  size: number;
  modified: number;
}

interface Submission {
  client: string;
  /** Chosen by the client, so that it can match the first message about the job. */
  id: string;
  prompt: Record<string, unknown>;
  workflow: unknown;
  front?: boolean;
  /** Run only these outputs. */
  targets?: readonly string[];
  /** What lists of jobs show. */
  about?: JobInfo;
  /** Whether saved files carry what made them; they do unless this is false. */
  metadata?: boolean;
}

interface SystemStats {
  system: Record<string, unknown> & {
    calotype_version?: string;
    python_version?: string;
    worker?: { ready: boolean };
  };
  devices: { name: string; vram_total: number; vram_free: number }[];
}

interface RecordDifference {
  /** The file, the pack or the value that differs. */
  name: string;
  /** A sentence: what was, what is, what can be done. */
  text: string;
  /** Whether the result can be expected to differ. */
  decides: boolean;
}

interface JobInfo {
  title: string;
  /** Equal for prompts that are queued together. */
  batch?: string;
  place?: BatchPlace;
}

export function makeClient(codec: Codec, fetchImpl?: typeof fetch) {
  const transport = makeTransport(codec, fetchImpl);
  return {
    ...resultsRoutes(transport),
    ...runRoutes(transport),
    ...catalogRoutes(transport),
    ...extensionRoutes(transport),
    ...uploadRoutes(transport),
    ...fileRoutes(transport),
  };
}

function runRoutes({ read, post, exchange }: Transport) {
  return {
    logs: () => read<Logs>("/api/internal/logs/raw"),
    /** New lines of the log are sent to the client while it is subscribed. */
    subscribeToLogs: (client: string, enabled: boolean) =>
      post("/api/internal/logs/subscribe", { clientId: client, enabled }, { method: "PATCH" }),
    /** Frees memory as soon as nothing runs. */
    free: (what: { unload_models?: boolean; free_memory?: boolean }) => post("/api/free", what),
    /**
     * Checks a saved workflow (or a prompt): returns it as a prompt, with all problems and the
     * nodes that would run.
     */
    check(
      document: unknown,
      { signal, targets = [] }: { signal?: AbortSignal; targets?: readonly string[] } = {},
    ): Promise<CheckResult> {
      const query = new URLSearchParams(targets.map((each) => ["target", each]));
      const url = targets.length === 0 ? "/api/calotype/check" : `/api/calotype/check?${query}`;
      return exchange(url, document, { limit: CHECK_LIMIT, ...(signal ? { signal } : {}) });
    },
    /** The prompt that does what another program's texts say, and what it lacks of them. */
    convertTexts: (texts: Readonly<Record<string, string>>) =>
      exchange<{ prompt: unknown; left: readonly string[] }>("/api/workflows/convert", { texts }),
    /** What differs here from when a record was made. */
    compareRecord: async (record: unknown): Promise<RecordDifference[]> => {
      const url = "/api/calotype/record/compare";
      return (await exchange<{ differences: RecordDifference[] }>(url, { record })).differences;
    },
    submit(submission: Submission): Promise<{ prompt_id: string }> {
      const { client, id, prompt, workflow, front, targets, about, metadata } = submission;
      return exchange("/api/prompt", {
        client_id: client,
        prompt_id: id,
        prompt,
        ...(front ? { front } : {}),
        ...(targets === undefined ? {} : { partial_execution_targets: targets }),
        extra_data: {
          extra_pnginfo: { workflow },
          preview_method: "auto",
          ...(about ? { calotype: about } : {}),
          ...(metadata === false ? { metadata } : {}),
        },
      });
    },
    interrupt: (prompt?: string) => post("/api/interrupt", prompt ? { prompt_id: prompt } : {}),
    removeFromQueue: (ids: readonly string[]) => post("/api/queue", { delete: ids }),
    clearQueue: () => post("/api/queue", { clear: true }),
    forget: (ids: readonly string[]) => post("/api/history", { delete: ids }),
    async jobs(status: readonly JobStatus[], limit: number): Promise<Job[]> {
      const query = new URLSearchParams({ status: status.join(","), limit: String(limit) });
      return (await read<{ jobs: Job[] }>(`/api/jobs?${query}`)).jobs;
    },
    job: (id: string) => read<JobDetail>(`/api/jobs/${encodeURIComponent(id)}`),
    /** The machine and the versions, for a report. */
    machine: () => read<SystemStats>("/api/system_stats"),
  };
}

function catalogRoutes({ read, post }: Transport) {
  return {
    async catalog(): Promise<Catalog> {
      return readCatalog(await read<Record<string, unknown>>("/api/object_info"));
    },
    /** One class, in the form of the catalog; empty where there is none of this name. */
    async describe(type: string): Promise<Catalog> {
      return readCatalog(
        await read<Record<string, unknown>>(`/api/object_info/${encodeURIComponent(type)}`),
      );
    },
    /** The kinds of weights, with the folders searched for each, in order. */
    modelKinds: () => read<ModelKind[]>(MODELS),
    models: (kind: string) => read<ModelFile[]>(`${MODELS}/${encodeURIComponent(kind)}`),
    /** The URL of the preview picture of a weights file, which may not exist. */
    modelPreview: (folder: string, name: string) =>
      `${MODELS}/preview/${encodeURIComponent(folder)}/0/${encodeURIComponent(name)}`,
    /** The subgraphs of plugins: the text, name and origin of each. */
    async pluginSubgraphs(): Promise<PluginSubgraph[]> {
      const listed = await read<Record<string, ListedSubgraph>>("/global_subgraphs");
      const all = await Promise.all(
        Object.keys(listed).map((id) =>
          read<ListedSubgraph | null>(`/global_subgraphs/${encodeURIComponent(id)}`),
        ),
      );
      return all.flatMap((each) =>
        each === null
          ? []
          : [{ name: each.name, pack: each.info.node_pack, text: each.data ?? null }],
      );
    },
    embeddings: () => read<string[]>("/api/embeddings"),
    /**
     * The list that a route of this server returns, or has under a key; empty for any other
     * response. `limit` in milliseconds.
     */
    async list(
      route: string,
      { limit, key = null }: { limit?: number; key?: string | null } = {},
    ): Promise<unknown[]> {
      const answer = await read<unknown>(route, limit === undefined ? {} : { limit });
      const has = key !== null && typeof answer === "object" && answer !== null && key in answer;
      const listed = has ? (answer as Record<string, unknown>)[key] : answer;
      return Array.isArray(listed) ? listed : [];
    },
    settings: () => read<Record<string, unknown>>("/api/settings"),
    changeSetting: (id: string, value: unknown) =>
      post(`/api/settings/${encodeURIComponent(id)}`, value),
  };
}

function extensionRoutes({ read }: Transport) {
  return {
    /** The declarations of plugins; for an invalid one its error. */
    extensions: () => read<DeclaredExtension[]>("/calotype/extensions"),
    /** The saved workflow that a plugin's command adds. */
    extensionFile: (pack: string, file: string) => read<unknown>(extensionUrl(pack, file)),
  };
}

function uploadRoutes({ read }: Transport) {
  async function upload(url: string, form: FormData): Promise<ImageFile> {
    const answer = await read<{ name: string; subfolder: string; type: string }>(url, {
      method: "POST",
      body: form,
    });
    return { filename: answer.name, subfolder: answer.subfolder, type: answer.type };
  }
  return {
    /** Stores a mask with its picture: an opaque PNG, transparent where masked. */
    uploadMask(mask: Blob, name: string, original: ImageFile): Promise<ImageFile> {
      const form = new FormData();
      form.append("image", mask, name);
      form.append("subfolder", "clipspace");
      form.append("type", "input");
      form.append("original_ref", JSON.stringify(original));
      return upload("/api/upload/mask", form);
    },
  };
}

/** The user's files other than workflows: blueprints, tags. For workflows see `library.ts`. */
function fileRoutes({ request, read }: Transport) {
  const at = (path: string) => `/api/userdata/${encodeURIComponent(path)}`;
  return {
    /** The files in a folder, recursively; none where the folder does not exist. */
    async files(folder: string): Promise<string[]> {
      // Requesting a missing folder would log an error in the browser's console.
      const all = await read<readonly { path: string }[]>("/api/v2/userdata");
      if (!all.some(({ path }) => path === folder.split("/", 1)[0])) return [];
      const query = new URLSearchParams({ dir: folder, recurse: "true" });
      return (await nullIfNotFound(() => read<string[]>(`/api/userdata?${query}`))) ?? [];
    },
    /** The text of a saved file; null where it does not exist. */
    load: (path: string) => nullIfNotFound(async () => (await request(at(path))).text()),
    async save(path: string, text: string, overwrite: boolean): Promise<void> {
      await request(`${at(path)}?overwrite=${overwrite}`, { method: "POST", body: text });
    },
    /** Rejects where the new name is taken. */
    async move(from: string, to: string): Promise<void> {
      const url = `${at(from)}/move/${encodeURIComponent(to)}?overwrite=false`;
      await request(url, { method: "POST" });
    },
    async remove(path: string): Promise<void> {
      await request(at(path), { method: "DELETE" });
    },
  };
}

interface ListedSubgraph {
  name: string;
  info: { node_pack: string };
  data?: string;
}

interface PluginSubgraph {
  name: string;
  pack: string;
  text: string | null;
}

export function extensionUrl(pack: string, file: string): string {
  return routeUrl(`/calotype/extensions/${encodeURIComponent(pack)}/${encodeURIComponent(file)}`);
}

/** The URL of a weights file's preview picture; 404 where there is none. */
export function modelPreviewUrl(kind: string, { name, pathIndex }: ModelFile): string {
  const file = name.split("/").map(encodeURIComponent).join("/");
  return routeUrl(`${MODELS}/preview/${encodeURIComponent(kind)}/${pathIndex}/${file}`);
}

export function viewUrl(file: ImageFile, preview?: string): string {
  const query = new URLSearchParams({ ...file, ...(preview ? { preview } : {}) });
  return routeUrl(`/api/view?${query}`);
}

export function socketUrl(client: string, place: Location): string {
  const url = new URL(routeUrl(`/ws?clientId=${encodeURIComponent(client)}`), place.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

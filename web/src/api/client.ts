/**
 * The server's HTTP interface, typed. Knows neither documents nor the screen; how JSON is read and
 * written is passed in, because seeds are larger than JavaScript's numbers.
 */
import { type Catalog, readCatalog } from "./catalog";
import type { DeclaredExtension } from "./extensions";
import type { ImageFile, Job, JobDetail, JobStatus } from "./jobs";
import { type BatchPlace, resultsRoutes } from "./results";
import type { Plan } from "./types";

export interface Codec {
  parse: (text: string) => unknown;
  write: (value: unknown) => string;
}

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

export interface Report {
  error: { type: string; message: string; details: string } | null;
  node_errors: Record<string, NodeProblems>;
  /** Classes that nobody here has, with the nodes that are of them. */
  missing?: Record<string, string[]>;
}

export interface Checked {
  prompt: Record<string, unknown>;
  report: Report;
  plan: Plan;
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
  /** Chosen here, so that the first message about it is already understood. */
  id: string;
  prompt: Record<string, unknown>;
  workflow: unknown;
  front?: boolean;
  /** Run no other outputs than these. */
  targets?: readonly string[];
  /** What lists tell of it. */
  about?: About;
}

interface Machine {
  system: Record<string, unknown> & {
    calotype_version?: string;
    python_version?: string;
    worker?: { ready: boolean };
  };
  devices: { name: string; vram_total: number; vram_free: number }[];
}

interface About {
  title: string;
  /** Prompts that are queued together have the same one. */
  batch?: string;
  place?: BatchPlace;
}

/** An answer that is no success; `body` is what the server said about it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly body: unknown,
  ) {
    super(message);
  }
}

export function makeClient(codec: Codec, request: typeof fetch = (...given) => fetch(...given)) {
  async function ask(path: string, init?: RequestInit): Promise<Response> {
    const answer = await request(`/api${path}`, init);
    if (answer.ok) return answer;
    const text = await answer.text();
    const body = bodyOf(text);
    throw new Refused(answer.status, messageOf(body) ?? `${answer.status} for ${path}`, body);
  }
  function bodyOf(text: string): unknown {
    try {
      return codec.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) return text;
      throw error;
    }
  }
  async function read<Answer>(path: string, init?: RequestInit): Promise<Answer> {
    return codec.parse(await (await ask(path, init)).text()) as Answer;
  }
  function post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    return ask(path, { method: "POST", body: codec.write(body), headers: JSON_TYPE, ...init });
  }
  const JSON_TYPE = { "Content-Type": "application/json" };

  return {
    ...resultsRoutes({ read, post }),
    async catalog(): Promise<Catalog> {
      return readCatalog(await read<Record<string, unknown>>("/object_info"));
    },
    /** A saved workflow (or a prompt) as a prompt, all that is wrong with it, and what would run. */
    async check(
      document: unknown,
      { signal, targets = [] }: { signal?: AbortSignal; targets?: readonly string[] } = {},
    ): Promise<Checked> {
      const init = { method: "POST", body: codec.write(document), headers: JSON_TYPE };
      const query = new URLSearchParams(targets.map((each) => ["target", each]));
      const path = targets.length === 0 ? "/calotype/check" : `/calotype/check?${query}`;
      const answer = await request(path, signal ? { ...init, signal } : init);
      const body = bodyOf(await answer.text());
      if (!answer.ok) {
        throw new Refused(answer.status, messageOf(body) ?? `${answer.status} for check`, body);
      }
      return body as Checked;
    },
    async submit({
      client,
      id,
      prompt,
      workflow,
      front,
      targets,
      about,
    }: Submission): Promise<{ prompt_id: string }> {
      const answer = await post("/prompt", {
        client_id: client,
        prompt_id: id,
        prompt,
        ...(front ? { front } : {}),
        ...(targets === undefined ? {} : { partial_execution_targets: targets }),
        extra_data: {
          extra_pnginfo: { workflow },
          preview_method: "auto",
          ...(about ? { calotype: about } : {}),
        },
      });
      return codec.parse(await answer.text()) as { prompt_id: string };
    },
    /** Where weights are looked for: the folders of each kind, the first one first. */
    modelKinds: () => read<ModelKind[]>("/experiment/models"),
    models: (kind: string) => read<ModelFile[]>(`/experiment/models/${encodeURIComponent(kind)}`),
    /** What plugins declare; of a broken declaration its error. */
    async extensions(): Promise<DeclaredExtension[]> {
      const answer = await request("/calotype/extensions");
      const body = bodyOf(await answer.text());
      if (!answer.ok) {
        throw new Refused(
          answer.status,
          messageOf(body) ?? `${answer.status} for extensions`,
          body,
        );
      }
      return body as DeclaredExtension[];
    },
    /** A saved workflow that a plugin's command puts down. */
    async extensionFile(pack: string, file: string): Promise<unknown> {
      const answer = await request(extensionUrl(pack, file));
      const body = bodyOf(await answer.text());
      if (!answer.ok) {
        throw new Refused(answer.status, messageOf(body) ?? `${answer.status} for ${file}`, body);
      }
      return body;
    },
    settings: () => read<Record<string, unknown>>("/settings"),
    changeSetting: (id: string, value: unknown) =>
      post(`/settings/${encodeURIComponent(id)}`, value),
    interrupt: (prompt?: string) => post("/interrupt", prompt ? { prompt_id: prompt } : {}),
    removeFromQueue: (ids: readonly string[]) => post("/queue", { delete: ids }),
    clearQueue: () => post("/queue", { clear: true }),
    forget: (ids: readonly string[]) => post("/history", { delete: ids }),
    async jobs(status: readonly JobStatus[], limit: number): Promise<Job[]> {
      const query = new URLSearchParams({ status: status.join(","), limit: String(limit) });
      return (await read<{ jobs: Job[] }>(`/jobs?${query}`)).jobs;
    },
    /** The machine and the versions, for a report. */
    machine: () => read<Machine>("/system_stats"),
    job: (id: string) => read<JobDetail>(`/jobs/${encodeURIComponent(id)}`),
    async upload(file: Blob, name: string): Promise<ImageFile> {
      const form = new FormData();
      form.append("image", file, name);
      const answer = await read<{ name: string; subfolder: string; type: string }>(
        "/upload/image",
        { method: "POST", body: form },
      );
      return { filename: answer.name, subfolder: answer.subfolder, type: answer.type };
    },
    /** Keeps a mask, an opaque PNG but for what is masked, with the picture it is of. */
    async uploadMask(mask: Blob, name: string, original: ImageFile): Promise<ImageFile> {
      const form = new FormData();
      form.append("image", mask, name);
      form.append("subfolder", "clipspace");
      form.append("type", "input");
      form.append("original_ref", JSON.stringify(original));
      const answer = await read<{ name: string; subfolder: string; type: string }>("/upload/mask", {
        method: "POST",
        body: form,
      });
      return { filename: answer.name, subfolder: answer.subfolder, type: answer.type };
    },
    /** The user's files in a folder and below; none where there is no such folder. */
    async files(folder: string): Promise<string[]> {
      try {
        return await read<string[]>(`/userdata?dir=${encodeURIComponent(folder)}&recurse=true`);
      } catch (error) {
        if (error instanceof Refused && error.status === 404) return [];
        throw error;
      }
    },
    embeddings: () => read<string[]>("/embeddings"),
    /** What a route of this server lists. */
    async list(route: string): Promise<unknown[]> {
      const answer = await request(route);
      const text = await answer.text();
      if (!answer.ok) throw new Refused(answer.status, `${answer.status} for ${route}`, text);
      const listed = codec.parse(text);
      return Array.isArray(listed) ? listed : [];
    },
    /** Where the picture beside a file of weights is, if there is one. */
    modelPreview: (folder: string, name: string) =>
      `/api/experiment/models/preview/${encodeURIComponent(folder)}/0/${encodeURIComponent(name)}`,
    /** The text of a saved file; null where there is none. */
    async load(path: string): Promise<string | null> {
      try {
        return await (await ask(`/userdata/${encodeURIComponent(path)}`)).text();
      } catch (error) {
        if (error instanceof Refused && error.status === 404) return null;
        throw error;
      }
    },
    async save(path: string, text: string, overwrite: boolean): Promise<void> {
      const query = `overwrite=${overwrite}`;
      await ask(`/userdata/${encodeURIComponent(path)}?${query}`, { method: "POST", body: text });
    },
    /** Refused where the new name is taken. */
    async move(from: string, to: string): Promise<void> {
      const [old, name] = [encodeURIComponent(from), encodeURIComponent(to)];
      await ask(`/userdata/${old}/move/${name}?overwrite=false`, { method: "POST" });
    },
    async remove(path: string): Promise<void> {
      await ask(`/userdata/${encodeURIComponent(path)}`, { method: "DELETE" });
    },
  };
}

export function extensionUrl(pack: string, file: string): string {
  return `/calotype/extensions/${encodeURIComponent(pack)}/${encodeURIComponent(file)}`;
}

/** The picture beside a file of weights; 404 where there is none. */
export function modelPreviewUrl(kind: string, { name, pathIndex }: ModelFile): string {
  const file = name.split("/").map(encodeURIComponent).join("/");
  return `/api/experiment/models/preview/${encodeURIComponent(kind)}/${pathIndex}/${file}`;
}

export function viewUrl(file: ImageFile, preview?: string): string {
  const query = new URLSearchParams({ ...file, ...(preview ? { preview } : {}) });
  return `/api/view?${query}`;
}

export function socketUrl(client: string, place: Location): string {
  const scheme = place.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${place.host}/ws?clientId=${encodeURIComponent(client)}`;
}

function messageOf(body: unknown): string | null {
  if (typeof body !== "object" || body === null || !("error" in body)) return null;
  const { error } = body as { error: unknown };
  if (typeof error === "string") return error;
  if (typeof error !== "object" || error === null) return null;
  const { message, details } = error as { message?: string; details?: string };
  return [message, details].filter(Boolean).join(": ") || null;
}

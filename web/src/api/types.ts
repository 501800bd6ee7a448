/**
 * What the server says. Made by tools/write_types.py; change the Python instead:
 * engine/server/messages.py, engine/forecast/forecast.py and engine/graph/schema.py.
 */

/** How many prompts are pending or running. */
export interface ExecInfo {
  queue_remaining: number;
}

/** The content of `status`. */
export interface StatusBody {
  exec_info: ExecInfo;
}

/** `status`: to all, whenever the queue changes; `sid` only as the first message. */
export interface Status {
  status: StatusBody;
  sid?: string;
}

/** `execution_start`; timestamps are milliseconds since 1970. */
export interface ExecutionStart {
  prompt_id: string;
  timestamp: number;
}

/** `execution_cached`: the nodes whose results are cached. */
export interface ExecutionCached {
  nodes: string[];
  prompt_id: string;
  timestamp: number;
}

/** `executing`: a node is called; None at the end of a run. */
export interface Executing {
  node: string | null;
  display_node?: string;
  prompt_id?: string;
}

/** One node in `progress_state`; `seconds` and `memory` are ours, of one that finished. */
export interface NodeProgress {
  value: number;
  max: number;
  state: "running" | "finished" | "error";
  node_id: string;
  prompt_id: string;
  display_node_id: string;
  parent_node_id: string | null;
  real_node_id: string;
  seconds?: number;
  memory?: number;
}

/** `progress_state`: the nodes that run, and those that changed since the last one. */
export interface ProgressState {
  prompt_id: string;
  nodes: Record<string, NodeProgress>;
}

/** `progress`: a step of a node. */
export interface Progress {
  value: number;
  max: number;
  prompt_id: string;
  node: string;
}

/** `executed`: what to draw under a node. */
export interface Executed {
  node: string;
  display_node: string;
  output: Record<string, unknown> | null;
  prompt_id: string;
}

/** `execution_success`. */
export interface ExecutionSuccess {
  prompt_id: string;
  timestamp: number;
}

/** `execution_error`; without a timestamp where the run goes on. */
export interface ExecutionError {
  prompt_id: string;
  node_id: string;
  node_type: string;
  executed: string[];
  exception_message: string;
  exception_type: string;
  traceback: string[];
  current_inputs: Record<string, unknown[]>;
  current_outputs: string[];
  timestamp?: number;
}

/** `execution_interrupted`; the node is None where it was between two. */
export interface ExecutionInterrupted {
  prompt_id: string;
  node_id: string | null;
  node_type: string | null;
  executed: string[];
  timestamp: number;
}

/** A line of the log: when, and what. */
export interface LogEntry {
  t: string;
  m: string;
}

/** `logs`, to those who subscribed; `size` is that of the terminal, None where there is none. */
export interface Logs {
  entries: LogEntry[];
  size: Record<string, number> | null;
}

/** `feature_flags`, and what `GET /features` answers. */
export interface FeatureFlags {
  supports_preview_metadata: boolean;
  max_upload_size: number;
  extension: Record<string, unknown>;
}

/** A download: `name` below the folder of models `kind`, sizes in bytes, `speed` per second. */
export interface DownloadState {
  id: string;
  name: string;
  kind: string;
  url: string;
  host: string;
  folder: string;
  state: "queued" | "running" | "asks" | "paused" | "failed" | "done";
  size: number | null;
  received: number;
  speed: number;
  sha256: string | null;
  found_sha256: string | null;
  license: string | null;
  message: string | null;
  asks_host: string | null;
  asks_private: boolean;
}

/** `downloads_changed` (ours), to all: downloads that changed, and the ids of removed ones. */
export interface DownloadsChanged {
  changed: DownloadState[];
  gone: string[];
}

/** One input of a node. */
export interface InputSchema {
  name: string;
  type: string;
  section: "required" | "optional" | "hidden";
  options: Record<string, unknown>;
  choices: unknown[] | null;
  folder: string | null;
}

/** One output of a node; `is_list` outputs hand each element on separately. */
export interface OutputSchema {
  type: string;
  name: string;
  is_list: boolean;
  tooltip: string | null;
  match: string | null;
}

/** A node as the catalog lists it. */
export interface NodeSchema {
  class_type: string;
  display_name: string;
  category: string;
  inputs: InputSchema[];
  outputs: OutputSchema[];
  description: string;
  python_module: string;
  is_output: boolean;
  input_is_list: boolean;
  deprecated: boolean;
  experimental: boolean;
  not_idempotent: boolean;
  flexible: boolean;
  any_slot: boolean;
  checks_input_types: boolean;
  checks: string[];
}

/** What a run would do with one node, and what that took lately; null where unknown. */
export interface NodePlan {
  state: "run" | "maybe" | "cached" | "unneeded";
  seconds: number | null;
  memory: number | null;
}

/** What a run would do. `seconds` is of the nodes that run and are known, `unknown` the rest. */
export interface Plan {
  nodes: Record<string, NodePlan>;
  run: number;
  cached: number;
  seconds: number | null;
  memory: number | null;
  unknown: number;
}

/** Every frame of text that the socket brings. */
export type ServerMessage =
  | { type: "status"; data: Status }
  | { type: "execution_start"; data: ExecutionStart }
  | { type: "execution_cached"; data: ExecutionCached }
  | { type: "executing"; data: Executing }
  | { type: "progress_state"; data: ProgressState }
  | { type: "progress"; data: Progress }
  | { type: "executed"; data: Executed }
  | { type: "execution_success"; data: ExecutionSuccess }
  | { type: "execution_error"; data: ExecutionError }
  | { type: "execution_interrupted"; data: ExecutionInterrupted }
  | { type: "logs"; data: Logs }
  | { type: "feature_flags"; data: FeatureFlags }
  | { type: "downloads_changed"; data: DownloadsChanged };

/** Types of jobs and of the files they made, as reported by the server. */

export interface ImageFile {
  filename: string;
  subfolder: string;
  type: string;
}

export type JobStatus = "pending" | "in_progress" | "completed" | "failed" | "cancelled";

export interface Job {
  id: string;
  status: JobStatus;
  create_time?: number;
  execution_start_time?: number;
  execution_end_time?: number;
  preview_output?: ImageFile & { nodeId?: string; mediaType?: string };
  outputs_count?: number;
  execution_error?: { exception_message?: string; node_type?: string };
}

export interface JobDetail extends Job {
  outputs?: Record<string, Record<string, unknown>>;
  workflow?: { extra_data?: { extra_pnginfo?: { workflow?: unknown } }; prompt?: unknown };
}

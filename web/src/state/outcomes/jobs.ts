/** The jobs of the server: those of the queue, and the newest that are over. */
import type { ListedJob } from "../../api/results";
import { HttpError } from "../../api/transport";
import { client } from "../session/server";
import { notifyError } from "../session/view";
import { readQueue, useQueue } from "./queue";
import { useRuns } from "./runs";

const HISTORY_LIMIT = 64;

/** Reads the lists again; a gallery that is open, too. */
export async function refreshJobs(): Promise<void> {
  try {
    const [, { jobs: past }] = await Promise.all([
      readQueue(),
      client.history({}, { limit: HISTORY_LIMIT }),
    ]);
    const { running, waiting } = useQueue.getState();
    useRuns.setState({ unfinished: [...running, ...waiting], past: withoutRepeats(past) });
    await import("./history").then((module) => module.historyChanged());
  } catch (error) {
    if (error instanceof HttpError) notifyError(error);
    // Without a connection there is nothing to list; the socket reports it.
  }
}

/** Of several runs with the same file, all but the newest left out: they look the same. */
export function withoutRepeats(past: readonly ListedJob[]): ListedJob[] {
  const seen = new Set<string>();
  return past.filter(({ preview_output: file }) => {
    if (file === undefined) return true;
    const name = [file.type ?? "output", file.subfolder ?? "", file.filename].join("/");
    const isFirst = !seen.has(name);
    seen.add(name);
    return isFirst;
  });
}

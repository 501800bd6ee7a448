/** Writes a history of thousands of jobs into a user directory before a server opens it. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { SEVEN_NODES } from "./studio";

const ROOT = resolve(import.meta.dirname, "../../..");

export function seedHistory(user: string, runs: number): void {
  const seeded = spawnSync(
    process.env.CALOTYPE_PYTHON ?? "python",
    [
      join(import.meta.dirname, "seed_history.py"),
      user,
      join(user, "output"),
      String(runs),
      SEVEN_NODES,
    ],
    { cwd: ROOT, encoding: "utf8", env: { ...process.env, PYTHONPATH: ROOT } },
  );
  if (seeded.status !== 0) throw new Error(seeded.stderr);
}

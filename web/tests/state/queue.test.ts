/** How long what waits may take. */
import { expect, test } from "vitest";
import { expectedOf } from "../../src/state/runs/queue";

function ran(took: number) {
  return {
    id: `job-${took}`,
    status: "completed" as const,
    workflow_id: "one",
    execution_start_time: 1_000,
    execution_end_time: 1_000 + took,
  };
}

test("runs that found all they needed do not say how long a whole one takes", () => {
  const waiting = { id: "next", status: "pending" as const, workflow_id: "one" };
  const past = [10, 12, 9, 8_000, 11, 9_000, 8_500].map(ran);
  expect(expectedOf(waiting, past)).toBe(8_500);
  expect(expectedOf(waiting, [10, 12, 9].map(ran))).toBe(10);
  expect(expectedOf({ ...waiting, workflow_id: "other" }, past)).toBeNull();
});

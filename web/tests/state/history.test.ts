/** The gallery's pages: loaded when in view, and shifted when new results arrive. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { ListedJob } from "../../src/api/results";
import {
  changeFilter,
  chooseRange,
  chosenJobs,
  extendTo,
  NO_FILTER,
  PAGE,
  readAround,
  refreshHistory,
  useHistory,
} from "../../src/state/outcomes/history";
import { client } from "../../src/state/session/server";

/** Newest first. */
let stored: ListedJob[] = [];
const asked: number[] = [];

function made(from: number, to: number): ListedJob[] {
  return Array.from({ length: to - from }, (_, index) => ({
    id: `job-${to - 1 - index}`,
    status: "completed",
  }));
}

beforeEach(async () => {
  vi.spyOn(client, "history").mockImplementation(async (wanted, { limit, offset = 0 }) => {
    asked.push(offset);
    const found = wanted.search
      ? stored.filter(({ id }) => id.endsWith(wanted.search ?? ""))
      : stored;
    return {
      jobs: found.slice(offset, offset + limit),
      total: found.length,
      days: [["2026-11-20", found.length]],
    };
  });
  stored = made(0, 350);
  useHistory.setState({ filter: NO_FILTER, jobs: [], total: null, at: 0, chosen: new Set() });
  await refreshHistory(true);
  asked.length = 0;
});

describe("the gallery's pages", () => {
  test("are read where one looks, each once", async () => {
    await Promise.all([readAround(210, 230), readAround(220, 240)]);
    await readAround(215, 299);
    expect(asked).toEqual([2 * PAGE]);
    expect(useHistory.getState().jobs[229]?.id).toBe("job-120");
    expect(useHistory.getState().jobs[150]).toBeUndefined();
  });

  test("a range grows and shrinks from where it began", async () => {
    useHistory.setState({ at: 3 });
    for (const to of [4, 5, 6]) await extendTo(to);
    expect(useHistory.getState().chosen.size).toBe(4);
    for (const to of [5, 4, 3, 2]) await extendTo(to);
    expect([...useHistory.getState().chosen]).toEqual(["job-347", "job-346"]);
    expect(useHistory.getState().at).toBe(2);
  });

  test("stay on the screen, moved, when something new comes, and are read again", async () => {
    await readAround(210, 230);
    useHistory.setState({ at: 229 });
    stored = [...made(350, 353), ...stored];
    await refreshHistory();
    const { jobs, at, total } = useHistory.getState();
    expect(total).toBe(353);
    expect(jobs[0]?.id).toBe("job-352");
    expect([at, jobs[at]?.id]).toEqual([232, "job-120"]);
    asked.length = 0;
    await readAround(232, 232);
    expect(asked).toEqual([2 * PAGE]);
  });

  test("of another search begin anew", async () => {
    await readAround(210, 230);
    changeFilter({ search: "-7" });
    await vi.waitFor(() => expect(useHistory.getState().total).toBe(1));
    expect(useHistory.getState().jobs.map((job) => job?.id)).toEqual(["job-7"]);
  });

  test("are read before all between two places is chosen", async () => {
    await chooseRange(260, 95);
    expect(useHistory.getState().chosen.size).toBe(166);
    expect(chosenJobs()[0]?.id).toBe("job-254");
    expect(asked.sort((one, other) => one - other)).toEqual([PAGE, 2 * PAGE]);
  });
});

/** `CALOTYPE_RECOVERY_ROUNDS=50` makes a long run. */
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { recover } from "./recovery";

const ROUNDS = Number(process.env.CALOTYPE_RECOVERY_ROUNDS ?? 6);
const SEED = Number(process.env.CALOTYPE_RECOVERY_SEED ?? 4);

test("a killed browser or server loses nothing older than a second", async () => {
  const rounds = await recover(ROUNDS, SEED, await freePort(), ({ way, edits, lost }, index) => {
    process.stderr.write(`round ${index + 1}: ${way}, ${edits} edits, ${lost} ms lost\n`);
  });
  expect(rounds.map(({ way, wrong }) => ({ way, wrong }))).toEqual(
    rounds.map(({ way }) => ({ way, wrong: null })),
  );
  expect(Math.min(...rounds.map(({ edits }) => edits))).toBeGreaterThan(0);
}, 3_600_000);

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const place = probe.address();
      probe.close(() => done(typeof place === "object" && place !== null ? place.port : 0));
    });
  });
}

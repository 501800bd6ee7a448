/** Runs axe on a page in each of the themes. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const THEMES = ["dark", "light", "contrast"];

interface Axe {
  run(
    within: Document,
    options: {
      runOnly: { type: "tag"; values: string[] };
      resultTypes: string[];
      rules: Record<string, { enabled: boolean }>;
    },
  ): Promise<{
    violations: {
      id: string;
      nodes: { target: unknown[]; html: string; failureSummary?: string }[];
    }[];
  }>;
}

/** One line for each violation: the state, the rule, the element. */
export async function violations(page: Page, state: string): Promise<string[]> {
  const found: string[] = [];
  for (const theme of THEMES) {
    await page.evaluate((wanted) => {
      document.documentElement.dataset.theme = wanted;
    }, theme);
    if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(SOURCE);
    const wrong = await page.evaluate(async (tags) => {
      const { axe } = globalThis as unknown as { axe: Axe };
      const { violations } = await axe.run(document, {
        runOnly: { type: "tag", values: tags },
        resultTypes: ["violations"],
        rules: { "label-content-name-mismatch": { enabled: true } },
      });
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, html, failureSummary = "" }) =>
          [id, String(target), html.slice(0, 140), failureSummary.split("\n").at(-1)?.trim()].join(
            " | ",
          ),
        ),
      );
    }, TAGS);
    found.push(...wrong.map((each) => `${state} (${theme}): ${each}`));
  }
  return found;
}

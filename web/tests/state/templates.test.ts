/** The bundled templates are found, with their pictures. */
import { describe, expect, test } from "vitest";
import { openTemplate, pictureOf, TEMPLATES, textOf } from "../../src/state/files/templates";
import { useStudio } from "../../src/state/session/studio";

describe("the templates that come along", () => {
  test.each(TEMPLATES)("$id has its picture and its workflow", async (template) => {
    expect(pictureOf(template)).toMatch(new RegExp(`${template.id}\\b.*\\.webp`));
    const { nodes } = JSON.parse(await textOf(template));
    expect(nodes.length).toBeGreaterThan(0);
  });
});

test("two workflows of one template have different ids, so that neither shows the other's results", async () => {
  const [template] = TEMPLATES;
  if (template === undefined) throw new Error("there is no template");
  await openTemplate(template, "first");
  await openTemplate(template, "second");
  const ids = useStudio.getState().tabs.map(({ workflow }) => workflow.saved.id);
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(2);
  expect(ids).not.toContain(JSON.parse(await textOf(template)).id);
});
